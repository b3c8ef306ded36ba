package reproduce

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// The limits for reading generated files: their number, and the size of each in bytes.
const (
	maxGenerated     = 2000
	maxGeneratedSize = 4 << 20
)

// ReadGenerated reads the files of a folder that have the names of a build's generated files,
// or are in folders of these names. It follows no link out of the folder.
func ReadGenerated(dir string, names []string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range names {
		if err := collect(dir, name, files); err != nil {
			return nil, fmt.Errorf("read what the build generated: %w", err)
		}
	}
	return files, nil
}

// collect reads a file, or the files of a folder, below a root. It follows no link out of the
// root.
func collect(dir, name string, into map[string][]byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	files := root.FS()
	return fs.WalkDir(files, path.Clean(name), func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() || len(into) >= maxGenerated {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() > maxGeneratedSize {
			return err
		}
		into[name], err = fs.ReadFile(files, name)
		return err
	})
}
