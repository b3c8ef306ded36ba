package compile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/thimble-build/thimble/build/internal/cache"
)

// Linked remembers the hash of what the linker wrote. The go command decides by the build id
// whether a file is up to date, and does not check the rest. If it keeps a file whose hash
// differs or is unknown, the file must be removed and linked again.
type Linked struct{ Cache *cache.Cache }

func linkedKey(path string) string { return "linked " + path }

// Has reports whether the linker wrote a file with this SHA-256 to the path.
func (l Linked) Has(path, sum string) bool {
	linked, known := l.Cache.Get(linkedKey(path))
	return known && string(linked) == sum
}

// Note remembers the SHA-256 of a file that the linker wrote to the path.
func (l Linked) Note(path, sum string) {
	if !l.Has(path, sum) {
		l.Cache.Put(linkedKey(path), []byte(sum))
	}
}

// Before returns the file that an earlier run has linked; nil if there is none. It removes a
// file that no run remembers, so that it is linked again. It also removes a symlink, because
// the go command checks the target.
func (l Linked) Before(path string) (fs.FileInfo, error) {
	if _, known := l.Cache.Get(linkedKey(path)); !known {
		return nil, l.Remove(path)
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, l.Remove(path)
	}
	return info, nil
}

// Remove removes a file that the linker did not write.
func (l Linked) Remove(path string) error {
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("remove a binary that is to be linked again: %w", err)
	}
	return nil
}
