// Package repository contains what a Dockerfile is compared with: the files of the repository, its
// main packages, and the folder that docker build would get. Its value never changes.
package repository

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/buildcontext"
	"github.com/thimble-build/thimble/build/init/finding"
)

// Repository is a repository with a Dockerfile. A main package is named by its index in Mains.
type Repository struct {
	Files   finding.Files
	Mains   []finding.Main
	Context buildcontext.Context
}

// Program returns the name of the program of a main package in an image, below /app.
func (r Repository) Program(at int) string { return strings.ToLower(r.Mains[at].Binary) }

// MainIn returns the main package in a folder, or -1.
func (r Repository) MainIn(folder string) int {
	return slices.IndexFunc(r.Mains, func(m finding.Main) bool { return m.Folder() == path.Clean(folder) })
}

// MainNamed returns the main package whose program has the name of a path, or -1. Names with the
// platform count, such as api-linux-amd64.
func (r Repository) MainNamed(p string) int {
	base := strings.ToLower(strings.TrimSuffix(path.Base(path.Clean("/"+p)), ".exe"))
	for _, end := range []string{"", "-linux", "_linux", "-amd64", "_amd64", ".linux", "-*"} {
		name := base
		if end != "" {
			var found bool
			if name, _, found = strings.Cut(base, end); !found {
				continue
			}
		}
		best := -1
		for i, m := range r.Mains {
			if strings.ToLower(m.Binary) == name &&
				(best < 0 || len(m.Folder()) < len(r.Mains[best].Folder())) {
				best = i
			}
		}
		if best >= 0 {
			return best
		}
	}
	return -1
}

// Text returns the content of a file that git has, or would add.
func (r Repository) Text(name string) (string, bool) {
	if !r.Files.Has(name) {
		return "", false
	}
	b, err := r.Files.Read(name)
	return string(b), err == nil
}
