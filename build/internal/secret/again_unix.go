//go:build unix

package secret

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// again executes this program again with an environment, and the secrets in a pipe. It returns
// only if that fails.
func again(open, secrets []string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	// The executed program inherits the pipe. No other process can: none has been started yet.
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	text := Message(secrets)
	if err := enlarge(ends[1], len(text)); err != nil {
		return err
	}
	w := os.NewFile(uintptr(ends[1]), "pipe")
	written := make(chan error, 1)
	go func() {
		_, err := w.Write(text)
		written <- errors.Join(err, w.Close())
	}()
	select {
	case err := <-written:
		if err != nil {
			return fmt.Errorf("write to a pipe: %w", err)
		}
	case <-time.After(5 * time.Second): // nothing has read it yet
		return fmt.Errorf("they take %d bytes, more than a pipe has room for; keep large ones in files",
			len(text))
	}
	err = syscall.Exec(self, os.Args, append(open, Variable+"="+strconv.Itoa(ends[0])))
	return fmt.Errorf("execute %s again: %w", self, err)
}
