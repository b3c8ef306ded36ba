package golist

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
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
	// Paths are sources, embedded files, and the files that define the modules.
	Paths git.Paths
	// Outside is a package folder that is outside the repository and the module cache; "" if
	// there is none.
	Outside string
}

// Inputs returns the inputs of a main package. They include missing files: a folder's sources
// are named by their ending, embedded files by their pattern.
func (s *Sources) Inputs(ctx context.Context, main string) (Inputs, error) {
	t := s.tree
	var in Inputs
	name := func(names ...string) error {
		for _, n := range names {
			rel, ok := t.InRepository(n)
			if !ok {
				return fmt.Errorf("find the inputs of %s: %s is not in the repository, and Config.StableDigests needs to know its age", main, n)
			}
			in.Paths.Add(git.Paths{Names: []string{rel}})
		}
		return nil
	}
	modules := []string{t.Dir}
	for _, p := range s.reach(main) {
		if p.fetched(t.Go.Setting("GOMODCACHE")) {
			continue
		}
		folder, ok := t.InRepository(p.Dir)
		if !ok {
			in.Outside = p.Dir
			continue
		}
		in.Folders = append(in.Folders, folder)
		for _, kind := range p.kinds() {
			in.Paths.Globs = append(in.Paths.Globs, path.Join(git.Quote(folder), "*"+kind))
		}
		if len(p.CgoFiles) > 0 { // C may include any file there
			in.Paths.Globs = append(in.Paths.Globs, path.Join(git.Quote(folder), "**"))
		}
		files, err := included(ctx, p.assembly())
		if err != nil {
			return in, err
		}
		for _, file := range files {
			if rel, ok := t.InRepository(file); ok {
				in.Paths.Names = append(in.Paths.Names, rel)
			} else if _, err := os.Stat(file); err == nil {
				in.Outside = file
			}
		}
		for _, pattern := range p.EmbedPatterns {
			pattern = strings.TrimPrefix(pattern, "all:")
			in.Embedded = append(in.Embedded, path.Join(folder, pattern))
			glob := path.Join(git.Quote(folder), pattern)
			in.Paths.Globs = append(in.Paths.Globs, glob, glob+"/**")
		}
		if p.ImportPath == main { // only a main package can have a profile
			if err := name(filepath.Join(p.Dir, "default.pgo")); err != nil {
				return in, err
			}
		}
		if p.Module != nil && p.Module.GoMod != "" {
			modules = append(modules, filepath.Dir(p.Module.GoMod))
		}
	}
	if t.Mod == "vendor" {
		vendor := t.Dir
		if t.Go.Work != "" {
			vendor = filepath.Dir(t.Go.Work)
		}
		if err := name(filepath.Join(vendor, "vendor", "modules.txt")); err != nil {
			return in, err
		}
	}
	if t.Go.Work != "" {
		used, err := workspace(t.Go.Work)
		if err != nil {
			return in, err
		}
		modules = append(modules, used...)
		if err := name(t.Go.Work, t.Go.Work+".sum"); err != nil {
			return in, err
		}
	}
	for _, dir := range modules {
		if err := name(filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum")); err != nil {
			return in, err
		}
	}
	slices.Sort(in.Folders)
	in.Folders = slices.Compact(in.Folders)
	in.Paths.Add(git.Paths{})
	return in, nil
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
func (s *Sources) reach(main string) []*listed {
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
	visit(main)
	return found
}
