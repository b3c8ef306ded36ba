package atomicfile

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// errSharingViolation is ERROR_SHARING_VIOLATION of the Windows API.
const errSharingViolation syscall.Errno = 32

// Rename is os.Rename, which replaces an existing file. On Windows it retries for a short while
// if another program has one of the two files open: virus scanners and indexers open new files.
func Rename(from, to string) error {
	const patience = 2 * time.Second
	pause := time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		err := os.Rename(from, to)
		held := errors.Is(err, syscall.ERROR_ACCESS_DENIED) || errors.Is(err, errSharingViolation)
		if !held || waited >= patience {
			return err
		}
		time.Sleep(pause)
		pause = min(2*pause, 100*time.Millisecond)
	}
}
