// Package spool keeps a stream in a nameless temporary file, so that it can be
// read more than once without being held in memory.
package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// File holds what New read. It has no name in the file system, so it is gone
// when it is closed or when the process ends, however that happens.
type File struct {
	*os.File
	Size int64 // bytes
}

// New reads r to its end into a temporary file in os.TempDir and returns the
// file, placed at its start. The caller closes it. An error of r is returned
// wrapped, so that callers may test for it.
func New(r io.Reader) (_ *File, err error) {
	f, err := os.CreateTemp("", "sample-service-*")
	if err != nil {
		return nil, fmt.Errorf("create temporary file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("unlink temporary file: %w", err)
	}
	size, err := io.Copy(f, r)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("rewind temporary file: %w", err)
	}
	return &File{File: f, Size: size}, nil
}
