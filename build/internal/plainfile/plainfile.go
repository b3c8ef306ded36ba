// Package plainfile opens regular files in folders that others wrote to. Opening a named pipe
// would wait for a writer, and a device has no end: both are errors here.
package plainfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// ErrNotRegular is the cause of the error for anything but a regular file.
var ErrNotRegular = errors.New("it is not a regular file")

// Open opens a file by its path. It follows links.
func Open(path string) (*os.File, error) {
	// Opening a device may change it.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	return regular(os.OpenFile(path, os.O_RDONLY|nonblock, 0))
}

// OpenIn opens a file below a root. A link that leads out of the root is an error.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	return regular(root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|nonblock, 0))
}

// ReadIn reads a file below a root, of at most this many bytes: one more is a limit.ErrTooLarge.
func ReadIn(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := OpenIn(root, name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(limit.Bytes(f, most))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// regular closes a file that is not regular. It asks the open file, because its name may mean
// another file by now.
func regular(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: f.Name(), Err: ErrNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
