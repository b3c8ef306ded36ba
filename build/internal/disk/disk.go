// Package disk says how much room there is: what a folder takes, and what is free on
// its file system. It changes nothing.
package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// errEnough ends a walk.
var errEnough = errors.New("enough was counted")

// Size is the sum of the sizes in bytes of the files below a folder. Of more than most
// files the first that are found are counted, and complete is false. What vanishes
// meanwhile, or cannot be read, does not count.
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

// Existing is the folder itself, or the innermost one around it that exists.
func Existing(dir string) string {
	for {
		if _, err := filepath.EvalSymlinks(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
