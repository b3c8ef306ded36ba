// Package disk measures disk space: the size of a folder, and the free space of its file system.
// It changes nothing.
package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// errEnough ends a walk.
var errEnough = errors.New("enough was counted")

// Size returns the total size, in bytes, of the files below a folder. If there are more than most
// files, it counts only the first ones and complete is false. Files that disappear meanwhile, or
// cannot be read, do not count.
func Size(dir string, most int) (size int64, complete bool, err error) {
	files := 0
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			if d == nil && !errors.Is(err, fs.ErrNotExist) {
				return err // the folder itself
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		if files++; files > most {
			return errEnough
		}
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return size, false, nil
	}
	return size, true, err
}

// Existing returns the folder, or its nearest parent that exists.
func Existing(dir string) string {
	for {
		if _, err := filepath.EvalSymlinks(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
