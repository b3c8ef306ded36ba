// Package golist asks the go command what it would compile, and finds the files of working
// trees that are used for that: sources, embedded files, files that C and assembly include, and
// files that define the modules. It compiles nothing and writes nothing.
package golist

import (
	"path/filepath"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/plan"
)

// Tree is a module in its working tree, and how its main packages are compiled.
type Tree struct {
	Go *gocmd.Go
	// Dir is the module's folder. Root is the folder of its repository, "" without git. Dist is
	// the output folder, which is not source. All are absolute.
	Dir, Root, Dist string
	// Mod is the go command's -mod, Tags are the build tags.
	Mod  string
	Tags []string
	// Images name the main packages, and say which of them are compiled with cgo.
	Images []plan.Image
}

// InRepository returns a path relative to the repository's root, with slashes, if it is inside.
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
