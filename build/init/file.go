package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// changes are files that init would write for one purpose, and messages for the user: notes,
// and missing, which lists what the targets need to work.
type changes struct {
	files          []file
	notes, missing []string
}

// add appends the changes for another purpose.
func (c *changes) add(more changes) {
	c.files = append(c.files, more.files...)
	c.notes = append(c.notes, more.notes...)
	c.missing = append(c.missing, more.missing...)
}

// file is a file that init wants to write.
type file struct {
	// path is relative to the repository's root, with slashes.
	path string
	text []byte
	// was is the present content, nil if there is no file.
	was []byte
	// add says that text is was plus one line.
	add bool
}

// create reports whether the file is new.
func (f file) create() bool { return f.was == nil }

// differs reports whether a different file exists, which is kept. Line ends are ignored,
// because git changes them on Windows.
func (f file) differs() bool {
	unix := func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }
	return f.was != nil && !f.add && !bytes.Equal(unix(f.was), unix(f.text))
}

// writes reports whether the file is written.
func (f file) writes() bool { return f.create() || f.add && !bytes.Equal(f.was, f.text) }

// wanted returns a file with this text, and with its present content.
func wanted(root, name string, text []byte) (file, error) {
	at := filepath.Join(root, filepath.FromSlash(name))
	was, err := os.ReadFile(at)
	switch {
	case err == nil && was == nil:
		was = []byte{}
	case errors.Is(err, fs.ErrNotExist) && exists(at):
		return file{}, fmt.Errorf("read %s: it is a broken symlink; remove it, or create its target", at)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return file{}, err
	}
	return file{path: name, text: text, was: was}, nil
}
