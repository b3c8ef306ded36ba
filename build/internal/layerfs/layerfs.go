// Package layerfs knows what files a stack of layers shows, without unpacking them. It
// takes the tars of layers and gives a file system that can be asked what lies where,
// with symlinks followed, whiteouts heeded (OCI image-spec 1.1, layer.md) and nothing
// but names, modes and a few facts kept: of ELF files what they ask for and offer, of
// some small files their content.
//
// The content of a tar is anybody's: names are cleaned, the number of entries is
// bounded, and what cannot be read as ELF is a file like others.
package layerfs

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// Layer is what one layer has, in the order of its tar. Its JSON can be kept.
type Layer []Entry

// Entry is a file, folder or link of a layer.
type Entry struct {
	// Path is absolute and clean.
	Path string `json:"p"`
	// Type is that of archive/tar. Devices and pipes hold nothing, and hide what is below.
	Type byte `json:"t"`
	// Mode has the permission bits as chmod takes them.
	Mode int64 `json:"m,omitempty"`
	UID  int   `json:"u,omitempty"`
	GID  int   `json:"g,omitempty"`
	Size int64 `json:"s,omitempty"`
	// Link is what a symlink points to, or the absolute path of a hard link's file.
	Link string `json:"l,omitempty"`
	// ELF is there for executables and shared libraries.
	ELF *ELF `json:"e,omitempty"`
	// Content is that of the files which Keep names.
	Content []byte `json:"c,omitempty"`
}

const (
	// maxEntries bounds the entries of a layer, and maxNames their names and what is kept of
	// their content together, in bytes. A whole distribution has some 10^5 files.
	maxEntries = 200_000
	maxNames   = 24 << 20
	// maxPath bounds a path, and where a link leads to, in bytes: PATH_MAX of Linux.
	maxPath = 4096
	// maxKept bounds the content that is kept of a file, maxELF the size of an ELF file
	// that is looked at, maxInMemory of one that is read into memory for that; in bytes.
	maxKept     = 256 << 10
	maxELF      = 256 << 20
	maxInMemory = 8 << 20
)

// keep are the files whose content is needed.
func keep(p string) bool {
	switch p {
	case "/etc/passwd", "/etc/group", "/etc/ld.so.conf", "/etc/os-release", "/usr/lib/os-release":
		return true
	}
	return strings.HasPrefix(p, "/etc/ld.so.conf.d/") && strings.HasSuffix(p, ".conf") ||
		strings.HasPrefix(p, "/etc/ld-musl-") && strings.HasSuffix(p, ".path")
}

// Scan reads the uncompressed tar of a layer to its end.
func Scan(r io.Reader) (Layer, error) {
	var layer Layer
	names := 0
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			// What follows the end of a tar belongs to the layer's hash all the same.
			_, err = io.Copy(io.Discard, r)
			return layer, err
		}
		if err != nil {
			return nil, fmt.Errorf("read the layer: %w", err)
		}
		if len(layer) == maxEntries {
			return nil, fmt.Errorf("read the layer: it has more than %d entries", maxEntries)
		}
		if len(h.Name) > maxPath || len(h.Linkname) > maxPath {
			return nil, fmt.Errorf("read the layer: %.100q…: a path has more than %d bytes", h.Name, maxPath)
		}
		e := Entry{Path: path.Join("/", h.Name), Type: h.Typeflag, Mode: h.Mode & 0o7777, UID: h.Uid, GID: h.Gid, Size: h.Size}
		switch strings.TrimPrefix(path.Base(h.Name), whiteout) {
		case path.Base(h.Name):
		case "", ".", "..":
			return nil, fmt.Errorf("read the layer: %q takes away no file", h.Name)
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
			e.Type = tar.TypeReg
			if err := e.look(t); err != nil {
				return nil, fmt.Errorf("read the layer: %s: %w", e.Path, err)
			}
		case tar.TypeSymlink:
			e.Link = h.Linkname
		case tar.TypeLink:
			e.Link = path.Join("/", h.Linkname)
		}
		if names += e.kept(); names > maxNames {
			return nil, fmt.Errorf("read the layer: its names come to more than %d MiB", maxNames>>20)
		}
		layer = append(layer, e)
	}
}

// kept is how many bytes are kept of an entry, but for what all have.
func (e *Entry) kept() int {
	n := len(e.Path) + len(e.Link) + len(e.Content)
	if e.ELF == nil {
		return n
	}
	for _, list := range [][]string{e.ELF.Needed, e.ELF.RunPath, e.ELF.RPath, e.ELF.Provides, {e.ELF.Soname, e.ELF.Interp}} {
		for _, s := range list {
			n += len(s) + 16
		}
	}
	for library, versions := range e.ELF.Requires {
		n += len(library) + 64
		for _, s := range versions {
			n += len(s) + 16
		}
	}
	return n
}

// look reads what is kept of a regular file.
func (e *Entry) look(r io.Reader) (err error) {
	if keep(e.Path) && e.Size <= maxKept {
		e.Content, err = io.ReadAll(r)
		return err
	}
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil || string(magic[:]) != elf.ELFMAG || e.Size > maxELF {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = nil // a small file
		}
		return err
	}
	r = io.MultiReader(bytes.NewReader(magic[:]), r)
	if e.Size <= maxInMemory {
		b := make([]byte, e.Size)
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		e.ELF, _ = ReadELF(bytes.NewReader(b)) // a damaged one is no library
		return nil
	}
	f, err := os.CreateTemp("", "thimble-library-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := io.Copy(f, r); err != nil {
		return err
	}
	e.ELF, _ = ReadELF(f)
	return nil
}
