package process

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"
)

// starting protects the setting of this process that start changes temporarily.
var starting sync.Mutex

// start starts the child. If no process may read this process's memory (prctl(2),
// PR_SET_DUMPABLE), only root may set the users of a child's user namespace. So start makes the
// memory readable while such a child starts, and not afterwards.
func start(cmd *exec.Cmd) (err error) {
	if cmd.SysProcAttr == nil || cmd.SysProcAttr.Cloneflags&unix.CLONE_NEWUSER == 0 {
		return cmd.Start()
	}
	starting.Lock()
	defer starting.Unlock()
	readable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("find out who may read this process: %w", err)
	}
	if readable == 0 {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("allow namespaces for a child: %w", err)
		}
		defer func() {
			if again := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); again != nil {
				err = errors.Join(err, fmt.Errorf("protect this process's memory again: %w", again))
			}
		}()
	}
	return cmd.Start()
}
