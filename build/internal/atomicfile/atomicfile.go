// Package atomicfile writes a file completely or not at all: a reader sees the old content or all
// of the new content, even if the writer fails.
//
// The content goes to a temporary file in the same folder, which is then renamed. This protects
// against errors and the end of the process. Only WriteSynced also protects against a loss of
// power: the other functions sync nothing to the disk.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// TempPrefix is the prefix of every temporary file. A remaining one belonged to a process that
// was killed; the owner of the folder may remove it.
const TempPrefix = ".tmp-"

// Write replaces the file at path with data. The permissions are perm before the umask, even if
// the file existed. On an error the file is unchanged and no temporary file remains.
func Write(path string, data []byte, perm fs.FileMode) error {
	return WriteFunc(path, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteSynced is Write, but syncs the data to the disk before it replaces the file: after a loss
// of power the file is unchanged, or has all of the new content.
func WriteSynced(path string, data []byte, perm fs.FileMode) error {
	return wrap(path, writeFile(path, perm, func(f *os.File) error {
		if _, err := f.Write(data); err != nil {
			return err
		}
		return f.Sync()
	}))
}

// WriteFunc is Write for content that write produces. An error of write is returned wrapped, and
// the file is then unchanged.
func WriteFunc(path string, perm fs.FileMode, write func(io.Writer) error) error {
	return wrap(path, writeFile(path, perm, func(f *os.File) error { return write(f) }))
}

func wrap(path string, err error) error {
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func writeFile(path string, perm fs.FileMode, write func(*os.File) error) error {
	temp := filepath.Join(filepath.Dir(path), TempPrefix+strconv.FormatUint(rand.Uint64(), 36))
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return cause(err, temp)
	}
	placed := false
	defer func() {
		if !placed { // also when write panics
			_ = f.Close()
			_ = os.Remove(temp)
		}
	}()
	if err := write(f); err != nil {
		return cause(err, temp)
	}
	if err := f.Close(); err != nil {
		return cause(err, temp)
	}
	if err := Rename(temp, path); err != nil {
		return cause(err, temp)
	}
	placed = true
	return nil
}

// cause removes the operation and the temporary name from an error, since only this package knows
// that name.
func cause(err error, temp string) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) && pathErr.Path == temp {
		return pathErr.Err
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) && linkErr.Old == temp {
		return linkErr.Err
	}
	return err
}
