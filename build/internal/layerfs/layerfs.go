// Package layerfs finds out which files a stack of layers contains, without unpacking them. It
// reads the tars of layers and returns a file system for lookups, which follows symlinks and
// applies whiteouts (OCI image-spec 1.1, layer.md). It keeps only names, modes and a few facts:
// the dependencies and offers of ELF files, and the content of some small files.
//
// The content of a tar is not trusted: names are cleaned, the number of entries is bounded, and a
// file that cannot be read as ELF is an ordinary file.
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

// Layer lists the entries of a layer, in the order of its tar. It can be kept as JSON.
type Layer []Entry

// Entry is a file, folder or link of a layer.
type Entry struct {
	// Path is absolute and clean.
	Path string `json:"p"`
	// Type is that of archive/tar. Devices and pipes have no content, and hide the file below.
	Type byte `json:"t"`
	// Mode has the permission bits as chmod takes them.
	Mode int64 `json:"m,omitempty"`
	UID  int   `json:"u,omitempty"`
	GID  int   `json:"g,omitempty"`
	Size int64 `json:"s,omitempty"`
	// Link is the target of a symlink, or the absolute path of a hard link's file.
	Link string `json:"l,omitempty"`
	// ELF is set for executables and shared libraries.
	ELF *ELF `json:"e,omitempty"`
	// Content is set for the files that keep selects.
	Content []byte `json:"c,omitempty"`
}

const (
	// maxEntries bounds the entries of a layer, and maxNames their names and kept content
	// together, in bytes. A whole distribution has about 10^5 files.
	maxEntries = 200_000
	maxNames   = 24 << 20
	// maxPath bounds a path, and the target of a link, in bytes: PATH_MAX of Linux.
	maxPath = 4096
	// maxKept bounds the kept content of a file, maxELF the size of an ELF file that is read,
	// maxInMemory that of one that is read into memory; in bytes.
	maxKept     = 256 << 10
	maxELF      = 256 << 20
	maxInMemory = 8 << 20
)

// keep says whether the content of a file is needed.
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
			// Data after the end of a tar is part of the layer's hash, too.
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
		e := Entry{Path: path.Join("/", h.Name), Type: h.Typeflag, Mode: h.Mode & 0o7777, UID: h.Uid,
			GID: h.Gid, Size: h.Size}
		switch strings.TrimPrefix(path.Base(h.Name), whiteout) {
		case path.Base(h.Name):
		case "", ".", "..":
			return nil, fmt.Errorf("read the layer: %q does not remove a file", h.Name)
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

// kept returns how many bytes are kept of an entry, without its fixed fields.
func (e *Entry) kept() int {
	n := len(e.Path) + len(e.Link) + len(e.Content)
	if e.ELF == nil {
		return n
	}
	for _, list := range [][]string{e.ELF.Needed, e.ELF.RunPath, e.ELF.RPath, e.ELF.Provides,
		{e.ELF.Soname, e.ELF.Interp}} {
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

// look reads the kept parts of a regular file.
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
		e.ELF, _ = ReadELF(bytes.NewReader(b)) // a damaged file is not a library
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
