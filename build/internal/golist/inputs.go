package golist

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/git"
)

// Inputs are the repository files from which one main package is compiled on one platform. The
// standard library is pinned by the toolchain, and the module cache by go.sum.
type Inputs struct {
	// Folders are the folders of the packages, relative to the repository's root.
	Folders []string
	// Embedded are the patterns of embedded files, relative to that root as well.
	Embedded []string
	// Paths are sources, embedded files, and the files that define the modules. What C may
	// include is not among them: see [CInputs].
	Paths git.Paths
	// Trees and CFolders are those of [Compiled], for this main package.
	Trees, CFolders []string
	// Outside is a file or folder that is outside the repository and the module cache; "" if
	// there is none.
	Outside string
}

// Inputs returns the inputs of a main package. They include missing files: a folder's sources
// are named by their ending, embedded files by their pattern.
func (s *Sources) Inputs(ctx context.Context, main Main) (Inputs, error) {
	t := s.tree
	var in Inputs
	packages := s.reach(main)
	for _, p := range packages {
		if p.fetched(t.Go.Setting("GOMODCACHE")) {
			continue
		}
		folders, links := t.names(p.Dir)
		if folders == nil {
			in.Outside = p.Dir
			continue
		}
		in.Paths.Names = append(in.Paths.Names, links...)
		for _, folder := range folders {
			in.Folders = append(in.Folders, folder)
			for _, kind := range p.kinds() {
				in.Paths.Globs = append(in.Paths.Globs, path.Join(git.Quote(folder), "*"+kind))
			}
			for _, pattern := range p.EmbedPatterns {
				pattern = strings.TrimPrefix(pattern, "all:")
				in.Embedded = append(in.Embedded, path.Join(folder, pattern))
				glob := path.Join(git.Quote(folder), pattern)
				in.Paths.Globs = append(in.Paths.Globs, glob, glob+"/**")
			}
		}
	}
	c, apart, err := t.compiled(ctx, packages)
	if err != nil {
		return in, err
	}
	in.Trees, in.CFolders = c.Trees, c.CFolders
	names, outside := t.present(apart)
	in.Paths.Names, in.Outside = append(in.Paths.Names, names...), cmp.Or(in.Outside, outside)
	slices.Sort(in.Folders)
	in.Folders = slices.Compact(in.Folders)
	in.Paths.Add(git.Paths{})
	return in, nil
}

// CInputs returns what C may include in the trees of these inputs, as paths for git. outside is
// an included file that is outside of the repository; "" if there is none. Both depend on files
// that the go command's list does not depend on.
func CInputs(ctx context.Context, t Tree, all []Inputs) (paths git.Paths, outside string, err error) {
	var lists []Compiled
	for _, in := range all {
		lists = append(lists, Compiled{Trees: in.Trees, CFolders: in.CFolders})
	}
	trees, _ := cFolders(lists)
	files, err := Below(ctx, t, lists, nil)
	if err != nil {
		return paths, "", err
	}
	var named []string // by a C file
	for _, file := range files {
		info, err := os.Lstat(file)
		switch linked := err == nil && info.Mode().Type() == fs.ModeSymlink; {
		case !slices.ContainsFunc(trees, func(tree string) bool { return within(tree, file) }):
			named = append(named, file)
		case linked:
			names, links := t.names(file)
			paths.Names = append(append(paths.Names, names...), links...)
		}
	}
	// What is in the folder of a symlink to the whole repository is no input, as in Below.
	paths.Names = slices.DeleteFunc(paths.Names, func(name string) bool { return name == "." })
	names, outside := t.present(named)
	paths.Names = append(paths.Names, names...)
	for _, tree := range trees {
		folders, links := t.names(tree)
		paths.Names = append(paths.Names, links...)
		for _, folder := range folders {
			paths.Globs = append(paths.Globs, path.Join(git.Quote(folder), "**"))
		}
	}
	return paths, outside, nil
}

// kinds returns the endings of the source files in the package's folder.
func (p *listed) kinds() []string {
	kinds := []string{".go"}
	for _, files := range [][]string{p.SFiles, p.HFiles, p.SysoFiles} {
		for _, f := range files {
			kinds = append(kinds, path.Ext(f))
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// reach returns the packages outside the standard library that a main package links.
func (s *Sources) reach(main Main) []*listed {
	var found []*listed
	seen := map[string]bool{}
	list := s.of(main)
	var visit func(path string)
	visit = func(path string) {
		p := list[path]
		if p == nil || p.Standard || seen[path] {
			return
		}
		seen[path] = true
		found = append(found, p)
		for _, imp := range p.Imports {
			if mapped, ok := p.ImportMap[imp]; ok {
				imp = mapped
			}
			visit(imp)
		}
	}
	visit(main.Package)
	return found
}
