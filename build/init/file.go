package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// changes are files that init would write for one purpose, and what the user has to know of
// them: notes, and missing, which keeps the targets from working.
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

// file is one that init would like to see.
type file struct {
	// path is relative to the repository's root, with slashes.
	path string
	text []byte
	// was is what is there, nil if nothing is.
	was []byte
	// add says that text is was with a line more.
	add bool
}

// create says whether the file is new.
func (f file) create() bool { return f.was == nil }

// differs says that there is something else, which stays. Line ends are git's business:
// on Windows it makes others of them.
func (f file) differs() bool {
	unix := func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }
	return f.was != nil && !f.add && !bytes.Equal(unix(f.was), unix(f.text))
}

// writes says whether the file is written.
func (f file) writes() bool { return f.create() || f.add && !bytes.Equal(f.was, f.text) }

// wanted is a file with this text, and with what is there now.
func wanted(root, name string, text []byte) (file, error) {
	at := filepath.Join(root, filepath.FromSlash(name))
	was, err := os.ReadFile(at)
	switch {
	case err == nil && was == nil:
		was = []byte{}
	case errors.Is(err, fs.ErrNotExist) && exists(at):
		return file{}, fmt.Errorf("read %s: it is a symlink to nothing; remove it, or repair what it points to", at)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return file{}, err
	}
	return file{path: name, text: text, was: was}, nil
}
