package tests

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// parent is the folder in /proc of the go command that runs this test.
func parent() (string, error) {
	dir := filepath.Join("/proc", strconv.Itoa(os.Getppid()))
	program, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil {
		return "", err
	}
	if name := filepath.Base(program); name != "go" {
		return "", fmt.Errorf("%s has started this test, and not the go command", name)
	}
	return dir, nil
}

// waitForOthers returns when the go command runs no other process than this.
func waitForOthers(deadline time.Time) error {
	dir, err := parent()
	if err != nil {
		return err
	}
	for {
		others, err := children(dir)
		if err != nil {
			return err
		}
		if len(others) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the tests of other packages still run: processes %s", strings.Join(others, ", "))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// children are the processes that a process has started, without this one.
func children(dir string) ([]string, error) {
	tasks, err := filepath.Glob(filepath.Join(dir, "task", "*", "children"))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, file := range tasks {
		b, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // a thread that has ended
		} else if err != nil {
			return nil, err
		}
		for child := range strings.FieldsSeq(string(b)) {
			if child != strconv.Itoa(os.Getpid()) {
				found = append(found, child)
			}
		}
	}
	return found, nil
}

// tell writes to the standard error of the go command.
func tell(text string) error {
	dir, err := parent()
	if err != nil {
		return err
	}
	out, err := standardError(dir)
	if err != nil {
		if out, err = os.OpenFile("/dev/tty", os.O_WRONLY, 0); err != nil {
			return err
		}
	}
	written := make(chan error, 1)
	go func() {
		_, err := out.WriteString(text)
		written <- errors.Join(err, out.Close())
	}()
	select {
	case err := <-written:
		return err
	case <-time.After(10 * time.Second):
		return fmt.Errorf("nobody reads the standard error of the go command")
	}
}

// standardError gives the standard error of the process in a folder of /proc: best a copy of
// the process's own descriptor, which keeps its place in a file. Not every system lets a
// process have one of its parent's.
func standardError(dir string) (*os.File, error) {
	pid, err := strconv.Atoi(filepath.Base(dir))
	if err != nil {
		return nil, err
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return reopened(dir)
	}
	defer unix.Close(process)
	fd, err := unix.PidfdGetfd(process, 2, 0)
	if err != nil {
		return reopened(dir)
	}
	return os.NewFile(uintptr(fd), "standard error of go test"), nil
}

// reopened opens the standard error of a process anew. A file is then written to at its
// end, and the process, which is further in front, would cover that with what it writes
// next. So blanks come first.
func reopened(dir string) (*os.File, error) {
	out, err := os.OpenFile(filepath.Join(dir, "fd", "2"), os.O_WRONLY|os.O_APPEND|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if info, err := out.Stat(); err == nil && info.Mode().IsRegular() {
		if _, err := out.WriteString(strings.Repeat(" ", 200) + "\n"); err != nil {
			return nil, errors.Join(err, out.Close())
		}
	}
	return out, nil
}
