// Package rootfs contains the root file system of a stage, as far as it is known: which path holds
// a program of the repository, which one a file of the repository, and which one something that
// only a command makes. Instructions put entries into it. It reads no file and no base image.
package rootfs

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/finding"
)

// Kind says what is at a path of an image.
type Kind int

const (
	// Program is a program of the repository.
	Program Kind = iota
	// File is a file or folder of the repository.
	File
	// Folder is a folder without content.
	Folder
	// System is what thimble adds if the binary needs it.
	System
	// Other is what only a command makes.
	Other
)

// Entry is what is at a path of an image.
type Entry struct {
	Kind   Kind
	Target string
	// Main is the index of the program's main package. Source is the file of the repository, a
	// folder if it has a slash at the end.
	Main   int
	Source string

	Mode     uint32
	UID, GID int
	Caps     []string
	// From is where the entry is made. Line is the outcome of that, nil if it makes nothing in an
	// image.
	From finding.Place
	Line *finding.Line
	// Changes are the lines that change its owner or mode.
	Changes []*finding.Line
	// Skip are the files below a folder that are not copied, relative to the root.
	Skip func(name string) bool
}

// IsSourceFolder reports whether the entry is a folder of the repository with its content.
func (e Entry) IsSourceFolder() bool { return e.Kind == File && strings.HasSuffix(e.Source, "/") }

// FS is a root file system. Later entries cover earlier ones.
type FS struct {
	Entries []Entry
	files   finding.Files
}

// New returns an empty root file system, into which files of a repository can be copied.
func New(files finding.Files) FS { return FS{files: files} }

// Clone returns a copy whose entries can be changed.
func (f FS) Clone() FS { return FS{slices.Clone(f.Entries), f.files} }

// Put adds an entry. It replaces one at the same path. A folder that exists stays.
func (f *FS) Put(e Entry) {
	if e.Kind == Folder &&
		slices.ContainsFunc(f.Entries, func(o Entry) bool { return o.Target == e.Target }) {
		return
	}
	f.Entries = slices.DeleteFunc(f.Entries, func(o Entry) bool {
		if o.Target != e.Target || o.Kind == Folder || e.IsSourceFolder() {
			return false
		}
		if o.Line != nil && o.Line != e.Line && o.Line.Outcome == finding.Imported {
			outcome.NotNeeded(o.Line, outcome.ReplacedBy(e.From.Line))
		}
		return true
	})
	f.Entries = append(f.Entries, e)
}

// At returns what is at a path: an entry with that target, or the part of a folder of the
// repository. The latest entry wins.
func (f FS) At(p string) (Entry, bool) {
	p = path.Clean(p)
	for _, e := range slices.Backward(f.Entries) {
		if e.Target == p {
			return e, true
		}
		if !e.IsSourceFolder() {
			continue
		}
		rel, below := strings.CutPrefix(p, strings.TrimSuffix(e.Target, "/")+"/")
		if !below {
			continue
		}
		source := path.Join(e.Source, rel)
		switch {
		case e.Skip != nil && e.Skip(source):
		case f.files.Has(source):
			e.Target, e.Source, e.Skip = p, source, nil
			return e, true
		case len(f.files.Under(source)) > 0:
			e.Target, e.Source = p, source+"/"
			return e, true
		}
	}
	return Entry{}, false
}

// Under returns the entries at a path and below it.
func (f FS) Under(p string) []*Entry {
	prefix := strings.TrimSuffix(path.Clean(p), "/") + "/"
	var all []*Entry
	for i := range f.Entries {
		if e := &f.Entries[i]; e.Target == path.Clean(p) || strings.HasPrefix(e.Target, prefix) {
			all = append(all, e)
		}
	}
	return all
}

// IsFolder reports whether an entry makes a path a folder.
func (f FS) IsFolder(p string) bool {
	return slices.ContainsFunc(f.Entries, func(e Entry) bool {
		return strings.HasPrefix(e.Target, p+"/") || e.Target == p &&
			(e.Kind == Folder || strings.HasSuffix(e.Source, "/"))
	})
}

// SourcePath returns the path in the repository for a path below a copied folder of the
// repository, whether the file exists or not.
func (f FS) SourcePath(p string) (string, bool) {
	for _, e := range slices.Backward(f.Entries) {
		if !e.IsSourceFolder() {
			continue
		}
		if p == e.Target {
			return path.Clean(e.Source), true
		}
		if rel, below := strings.CutPrefix(p, strings.TrimSuffix(e.Target, "/")+"/"); below {
			return path.Join(e.Source, rel), true
		}
	}
	return f.besideCopied(p)
}

// besideCopied returns the path in the repository for a path of a folder into which files and
// folders of the repository were copied one by one, each with its own name.
func (f FS) besideCopied(p string) (string, bool) {
	for folder := p; folder != "/" && folder != "."; folder = path.Dir(folder) {
		for _, e := range f.Entries {
			if e.Kind == File && path.Dir(e.Target) == folder && path.Base(e.Target) == path.Base(e.Source) {
				return path.Join(path.Dir(path.Clean(e.Source)), strings.TrimPrefix(p, folder)), true
			}
		}
	}
	return "", false
}

// TargetPath returns where a folder of the repository is.
func (f FS) TargetPath(folder string) (string, bool) {
	for _, e := range f.Entries {
		if !e.IsSourceFolder() {
			continue
		}
		source := path.Clean(e.Source)
		if source == "." {
			return path.Join(e.Target, folder), true
		}
		if rel, below := strings.CutPrefix(path.Clean(folder)+"/", source+"/"); below {
			return path.Join(e.Target, rel), true
		}
	}
	return "", false
}

// Mains returns the main packages of the programs, in the order of the entries.
func (f FS) Mains() []int {
	var all []int
	for _, e := range f.Entries {
		if e.Kind == Program && !slices.Contains(all, e.Main) {
			all = append(all, e.Main)
		}
	}
	return all
}
