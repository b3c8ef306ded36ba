package plainfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// ErrTooMany is the cause of the error for a tree with more entries than allowed.
var ErrTooMany = errors.New("it has too many files")

// maxDepth limits how deep a tree may be: opening a path takes time for each folder in it.
const maxDepth = 200

// Walk calls visit for a file, or for a folder and everything in it, in any order. Of a folder it
// has only some entries in memory. It follows no links in the tree, and none that leads out of the
// root. More than most entries are an ErrTooMany. Entries that are removed meanwhile are left out.
func Walk(root *os.Root, name string, most int, visit func(name string, mode fs.FileMode) error) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if err := visit(name, info.Mode().Type()); err != nil || !info.IsDir() {
		return err
	}
	for folders := []string{name}; len(folders) > 0; {
		last := len(folders) - 1
		name, folders = folders[last], folders[:last]
		if strings.Count(name, "/") > maxDepth {
			return fmt.Errorf("%w: more than %d nested folders", ErrTooMany, maxDepth)
		}
		f, err := root.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = eachEntry(f, func(e fs.DirEntry) error {
			if most--; most < 0 {
				return ErrTooMany
			}
			below := path.Join(name, e.Name())
			if e.IsDir() {
				folders = append(folders, below)
			}
			return visit(below, e.Type())
		})
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// eachEntry calls visit for each entry of a folder.
func eachEntry(folder *os.File, visit func(fs.DirEntry) error) error {
	for {
		entries, err := folder.ReadDir(256)
		for _, e := range entries {
			if err := visit(e); err != nil {
				return err
			}
		}
		if err == io.EOF || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
