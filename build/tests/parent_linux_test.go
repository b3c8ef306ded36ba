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

// waitForOthers returns when the go command runs no other process than this, and has shown
// the results of those that it ran: it then only waits for this test.
func waitForOthers(deadline time.Time) error {
	dir, err := parent()
	if err != nil {
		return err
	}
	for idle := 0; ; time.Sleep(100 * time.Millisecond) {
		others, err := children(dir)
		if err != nil {
			return err
		}
		works, err := working(dir)
		if err != nil {
			return err
		}
		if len(others) == 0 && !works {
			// The threads of a process are not looked at all at once: look again.
			if idle++; idle == 3 {
				return nil
			}
			continue
		}
		idle = 0
		if time.Now().After(deadline) {
			return fmt.Errorf("the go command is still busy; it runs the processes [%s]", strings.Join(others, ", "))
		}
	}
}

// working says whether a thread of a process does anything but sleep. A thread that waits
// for a processor or a disk does not sleep.
func working(dir string) (bool, error) {
	tasks, err := filepath.Glob(filepath.Join(dir, "task", "*", "stat"))
	if err != nil {
		return false, err
	}
	for _, file := range tasks {
		b, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // a thread that has ended
		} else if err != nil {
			return false, err
		}
		// proc_pid_stat(5): "1234 (name) S …"; the name may have any character
		text := string(b)
		if state := text[strings.LastIndexByte(text, ')')+1:]; !strings.HasPrefix(state, " S") {
			return true, nil
		}
	}
	return false, nil
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
