package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
)

// write writes the files below root. A new folder magefiles appears with all its files at once.
func write(root string, files []file) error {
	magefiles := filepath.Join(root, "magefiles")
	if exists(magefiles) {
		return writeFiles(root, files)
	}
	temp, err := os.MkdirTemp(root, atomicfile.TempPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	var inside, others []file
	for _, f := range files {
		if strings.HasPrefix(f.path, "magefiles/") {
			inside = append(inside, f)
		} else {
			others = append(others, f)
		}
	}
	if err := writeFiles(temp, inside); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(temp, "magefiles"), magefiles); err != nil {
		return fmt.Errorf("write magefiles: %w", err)
	}
	return writeFiles(root, others)
}

func writeFiles(root string, files []file) error {
	for _, f := range files {
		if !f.writes() {
			continue
		}
		at := filepath.Join(root, filepath.FromSlash(f.path))
		if f.add && !f.create() { // if this is a symlink, write to its target, which was read
			var err error
			if at, err = filepath.EvalSymlinks(at); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			return err
		}
		if err := atomicfile.Write(at, f.text, 0o666); err != nil {
			return err
		}
	}
	return nil
}
