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
	"maps"
	"path"
	"slices"
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

// ELF is what an ELF file asks for and offers.
type ELF struct {
	Machine elf.Machine `json:"m"`
	Class   elf.Class   `json:"c"`
	Data    elf.Data    `json:"o"` // byte order
	Needed  []string    `json:"n,omitempty"`
	// RunPath is DT_RUNPATH, RPath DT_RPATH, split at the colons. As for the dynamic
	// linker, there is no RPath where there is a RunPath.
	RunPath []string `json:"r,omitempty"`
	RPath   []string `json:"h,omitempty"`
	Soname  string   `json:"s,omitempty"`
	Interp  string   `json:"i,omitempty"`
	// Requires are the symbol versions that it wants of a library, by the library's name,
	// Provides those that it defines.
	Requires map[string][]string `json:"v,omitempty"`
	Provides []string            `json:"d,omitempty"`
}

const (
	// maxEntries bounds the entries of a layer; a whole distribution has some 10^5.
	maxEntries = 1_000_000
	// maxKept bounds the content that is kept of a file, maxELF the size of an ELF file
	// that is looked at, since it is read into memory; both in bytes.
	maxKept = 256 << 10
	maxELF  = 256 << 20
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
		layer = append(layer, e)
	}
}

// look reads what is kept of a regular file.
func (e *Entry) look(r io.Reader) error {
	if keep(e.Path) && e.Size <= maxKept {
		var err error
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
	rest, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	e.ELF, _ = ReadELF(bytes.NewReader(slices.Concat(magic[:], rest))) // a damaged one is no library
	return nil
}

// ReadELF reads what a file asks for and offers. An error says that it is no ELF file or
// a damaged one.
func ReadELF(r io.ReaderAt) (info *ELF, err error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, err
	}
	info = &ELF{Machine: f.Machine, Class: f.Class, Data: f.Data}
	one := func(tag elf.DynTag) []string {
		values, dynErr := f.DynString(tag)
		if dynErr != nil && !errors.Is(dynErr, elf.ErrNoSymbols) {
			err = dynErr
		}
		return values
	}
	info.Needed = one(elf.DT_NEEDED)
	folders := func(tag elf.DynTag) []string {
		return strings.FieldsFunc(strings.Join(one(tag), ":"), func(r rune) bool { return r == ':' })
	}
	if info.RunPath = folders(elf.DT_RUNPATH); len(info.RunPath) == 0 {
		info.RPath = folders(elf.DT_RPATH)
	}
	if soname := one(elf.DT_SONAME); len(soname) > 0 {
		info.Soname = soname[0]
	}
	if err != nil {
		return nil, err
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b := make([]byte, min(p.Filesz, 4096))
		if _, err := p.ReadAt(b, 0); err != nil && err != io.EOF {
			return nil, err
		}
		info.Interp, _, _ = strings.Cut(string(b), "\x00")
	}
	if needs, err := f.DynamicVersionNeeds(); err == nil {
		for _, n := range needs {
			for _, v := range n.Needs {
				if v.Flags&elf.VER_FLG_WEAK != 0 {
					continue
				}
				if info.Requires == nil {
					info.Requires = map[string][]string{}
				}
				info.Requires[n.Name] = append(info.Requires[n.Name], v.Dep)
			}
		}
	}
	if versions, err := f.DynamicVersions(); err == nil {
		for _, v := range versions {
			info.Provides = append(info.Provides, v.Name)
		}
	}
	return info, nil
}

// FS is what a stack of layers shows. It does not change.
type FS struct{ entries map[string]Entry }

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// Stack puts layers on top of each other, the lowest first, as a container engine unpacks
// them: what a layer has below a symlink to a folder, it has in that folder.
func Stack(layers ...Layer) *FS { return (&FS{entries: map[string]Entry{}}).Above(layers...) }

// Above puts further layers on top of these, which stay as they are.
func (fs *FS) Above(layers ...Layer) *FS {
	fs = &FS{entries: maps.Clone(fs.entries)}
	for _, l := range layers {
		// A layer's whiteouts are about the layers below, wherever in the tar they are.
		for _, e := range l {
			dir, base := path.Split(fs.inFolder(e.Path))
			switch {
			case base == opaque:
				fs.remove(strings.TrimSuffix(dir, "/"), false)
			case strings.HasPrefix(base, whiteout):
				fs.remove(path.Join(dir, strings.TrimPrefix(base, whiteout)), true)
			}
		}
		for _, e := range l {
			if strings.HasPrefix(path.Base(e.Path), whiteout) {
				continue
			}
			e.Path = fs.inFolder(e.Path)
			if e.Type == tar.TypeLink {
				e.Link = fs.inFolder(e.Link)
			}
			if old, ok := fs.entries[e.Path]; ok && old.Type == tar.TypeDir && e.Type != tar.TypeDir {
				fs.remove(e.Path, true)
			}
			if e.Type == tar.TypeLink {
				if of, ok := fs.entries[e.Link]; ok {
					of.Path = e.Path
					e = of
				}
			}
			fs.entries[e.Path] = e
		}
	}
	return fs
}

// inFolder is a path whose folder is none behind a symlink. One that leads nowhere stays.
func (fs *FS) inFolder(p string) string {
	dir := path.Dir(p)
	for at := dir; at != "/"; at = path.Dir(at) {
		if fs.entries[at].Type != tar.TypeSymlink {
			continue
		}
		if e, ok := fs.Lookup(dir); ok && e.Type == tar.TypeDir {
			return path.Join(e.Path, path.Base(p))
		}
		break
	}
	return p
}

// remove takes away what lies below a path, and the path itself.
func (fs *FS) remove(p string, itself bool) {
	maps.DeleteFunc(fs.entries, func(name string, _ Entry) bool {
		return itself && name == p || strings.HasPrefix(name, p+"/")
	})
}

// maxLinks bounds how many symlinks a path may go through, as Linux does.
const maxLinks = 40

// Lookup returns what lies at an absolute path, through symlinks in any part of it; the
// entry's Path is where it really is. A folder that no layer names, but has something in
// it, is one of mode 0755.
func (fs *FS) Lookup(p string) (Entry, bool) {
	links := 0
	return fs.walk("/", p, &links)
}

func (fs *FS) walk(at, p string, links *int) (Entry, bool) {
	here := Entry{Path: at, Type: tar.TypeDir, Mode: 0o755}
	for part := range strings.SplitSeq(p, "/") {
		switch part {
		case "", ".":
			continue
		case "..":
			here.Path = path.Dir(here.Path)
			here.Type = tar.TypeDir
			continue
		}
		if here.Type != tar.TypeDir {
			return Entry{}, false
		}
		next := path.Join(here.Path, part)
		e, ok := fs.entries[next]
		if !ok {
			if !fs.isParent(next) {
				return Entry{}, false
			}
			e = Entry{Path: next, Type: tar.TypeDir, Mode: 0o755}
		}
		if e.Type == tar.TypeSymlink {
			if *links++; *links > maxLinks {
				return Entry{}, false
			}
			from := here.Path
			if path.IsAbs(e.Link) {
				from = "/"
			}
			if e, ok = fs.walk(from, e.Link, links); !ok {
				return Entry{}, false
			}
		}
		here = e
	}
	return here, true
}

func (fs *FS) isParent(p string) bool {
	for name := range fs.entries {
		if strings.HasPrefix(name, p+"/") {
			return true
		}
	}
	return false
}

// Has says whether there is a regular file at a path.
func (fs *FS) Has(p string) bool {
	e, ok := fs.Lookup(p)
	return ok && e.Type == tar.TypeReg
}

// Glob returns the entries in a folder, links not followed, whose name matches a
// pattern of path.Match, sorted.
func (fs *FS) Glob(dir, pattern string) []Entry {
	at, ok := fs.Lookup(dir)
	if !ok {
		return nil
	}
	var found []Entry
	for name, e := range fs.entries {
		if path.Dir(name) != at.Path {
			continue
		}
		if ok, err := path.Match(pattern, path.Base(name)); err == nil && ok {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return found
}
