// Package golist asks the go command what it would compile, and finds the files of working
// trees that go into that: sources, what is embedded, what C and assembly include, and what
// says which modules there are. It compiles nothing and writes nothing.
package golist

import (
	"path/filepath"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/plan"
)

// Tree is a module in its working tree, and how its main packages are compiled.
type Tree struct {
	Go *gocmd.Go
	// Dir is the module's folder. Root is that of its repository, "" without git. Dist is the
	// folder that is written to, which is no source. All are absolute.
	Dir, Root, Dist string
	// Mod is the go command's -mod, Tags are the build tags.
	Mod  string
	Tags []string
	// Images say which main packages there are, and which of them are compiled with cgo.
	Images []plan.Image
}

// InRepository is a path relative to the repository's root, with slashes, if it is there.
func (t Tree) InRepository(file string) (string, bool) {
	if t.Root == "" {
		return "", false
	}
	rel, err := filepath.Rel(t.Root, file)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}
