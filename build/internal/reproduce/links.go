package reproduce

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/plainfile"
)

// inside returns an error if the build or the go command would write or start outside of the
// tree, through a link. The go command writes go.mod, go.sum and go.work.sum.
func inside(tree string, source Source) error {
	folders := []string{source.module(tree), source.dist(tree)}
	if source.stranger() {
		folders = append(folders, filepath.Join(source.module(tree),
			filepath.Dir(filepath.FromSlash(source.Plan.Toolchain.Work))))
	}
	for _, folder := range folders {
		if err := noLinks(tree, folder); err != nil {
			return err
		}
	}
	return filepath.WalkDir(tree, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case d.Type()&fs.ModeSymlink == 0 || !slices.Contains([]string{".mod", ".sum", ".work"},
			filepath.Ext(name)):
			return nil
		}
		rel, err := filepath.Rel(tree, name)
		if err != nil {
			return err
		}
		to, err := filepath.EvalSymlinks(name)
		if err == nil {
			to, err = filepath.Rel(tree, to)
		}
		if err != nil || !filepath.IsLocal(to) {
			return fmt.Errorf(
				"the source has a link that points outside of it, or is broken, where the go command may "+
					"write: %s", filepath.ToSlash(rel))
		}
		return nil
	})
}

// noLinks returns an error if an element of a folder's path below a root is a link.
func noLinks(root, folder string) error {
	rel, err := filepath.Rel(root, folder)
	if err != nil {
		return err
	}
	at := root
	for _, element := range strings.Split(rel, string(filepath.Separator)) {
		at = filepath.Join(at, element)
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("the source has a link where a folder is needed: %s", filepath.ToSlash(rel))
		}
	}
	return nil
}

// plainFiles returns an error if the build's output contains anything other than files and
// folders. A malicious build could make it a link to a file of the user.
func plainFiles(in layout, source Source) error {
	root, err := os.OpenRoot(in.dir)
	if err != nil {
		return fmt.Errorf("read the result of the build: %w", err)
	}
	defer root.Close() // only read
	for _, left := range []string{in.resultFile(), source.dist(in.tree())} {
		name, err := filepath.Rel(in.dir, left)
		if err == nil {
			err = plainfile.Walk(root, filepath.ToSlash(name), maxVisited,
				func(name string, mode fs.FileMode) error {
					if mode.IsDir() || mode.IsRegular() {
						return nil
					}
					return fmt.Errorf("the build left %s, which is neither a file nor a folder",
						path.Base(name))
				})
		}
		if err != nil {
			return fmt.Errorf("read the result of the build: %w", err)
		}
	}
	return inside(in.tree(), source)
}
