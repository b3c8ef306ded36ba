package secret

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// enlarge increases the size of a pipe, whose 64 KiB are usually enough.
func enlarge(fd, size int) error {
	if size <= 4096 {
		return nil // the minimum size of a pipe
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, size); err != nil {
		return fmt.Errorf("make room for %d bytes in a pipe: %w; keep large ones in files", size, err)
	}
	return nil
}

// protect keeps other processes of the same user from reading this one's memory, and the system
// from writing it to a file when the process crashes (prctl(2), PR_SET_DUMPABLE). It lasts until
// the process executes another program. It has no effect on root.
func protect() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("protect this process's memory: %w", err)
	}
	return nil
}
