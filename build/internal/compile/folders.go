package compile

import (
	"cmp"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/modsum"
)

// Folders are the folders of modules whose files the compiler reads, by the path and version of what
// is linked. A module that is not listed, or without folders, may be read as a whole.
type Folders map[string][]string

// Add adds the modules of a main package.
func (f Folders) Add(modules []golist.Module) {
	for _, m := range modules {
		key := cmp.Or(m.Replacement, m.Path) + "@" + cmp.Or(m.ReplacementVersion, m.Version)
		if was, ok := f[key]; ok {
			f[key] = golist.UnionFolders(was, m.Folders)
		} else {
			f[key] = m.Folders
		}
	}
}

// of returns the modules with their folders.
func (f Folders) of(modules []modsum.Module) []modsum.Module {
	for i, m := range modules {
		modules[i].Folders = f[m.Path+"@"+m.Version]
	}
	return modules
}
