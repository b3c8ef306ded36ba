//go:build unix

package disk

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Free returns how many bytes this user can still write to the file system of an existing folder.
func Free(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("find the free space of %s: %w", dir, err)
	}
	return int64(uint64(s.Bavail) * uint64(s.Bsize)), nil
}
