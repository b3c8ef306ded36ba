package golist

import (
	"context"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// CgoPackage is a package outside the standard library with files that use cgo.
type CgoPackage struct {
	Path, Name, Dir string
	// Importers are the packages that import it.
	Importers []string
}

// CgoPackages returns the packages outside the standard library that use cgo, sorted by path.
// Because of them a build of the main package without cgo can fail.
func CgoPackages(ctx context.Context, t Tree, platform plan.Platform, main Main) ([]CgoPackage, error) {
	packages, err := t.list(ctx, append(platform.Env(), "CGO_ENABLED=1"), main.Tags, []string{main.Package},
		"-e", "-json=ImportPath,Name,Dir,Standard,CgoFiles,Imports,ImportMap")
	if err != nil {
		return nil, err
	}
	var found []CgoPackage
	for path, p := range packages {
		if !p.Standard && len(p.CgoFiles) > 0 {
			found = append(found, CgoPackage{Path: path, Name: p.Name, Dir: p.Dir})
		}
	}
	for i := range found {
		for path, p := range packages {
			if slices.ContainsFunc(p.Imports,
				func(imp string) bool { return p.mapped(imp) == found[i].Path }) {
				found[i].Importers = append(found[i].Importers, path)
			}
		}
	}
	slices.SortFunc(found, func(a, b CgoPackage) int { return strings.Compare(a.Path, b.Path) })
	return found, nil
}

// mapped returns the path of the package that an import of p means.
func (p *listed) mapped(imp string) string {
	if other, ok := p.ImportMap[imp]; ok {
		return other
	}
	return imp
}

// LeftOut returns the packages outside the standard library that a main package links on a platform
// without their files that use cgo, sorted; nil if it is compiled with cgo.
func (s *Sources) LeftOut(main Main, platform plan.Platform) (found []string) {
	if main.Cgo {
		return nil
	}
	with := build.Default
	with.GOOS, with.GOARCH, with.CgoEnabled = platform.OS, platform.Architecture, true
	with.BuildTags = strings.Split(main.Tags, ",")
	for _, p := range s.reach(main) {
		if slices.ContainsFunc(p.IgnoredGoFiles,
			func(name string) bool { return usesCgo(with, p.Dir, name) }) {
			found = append(found, p.ImportPath)
		}
	}
	slices.Sort(found)
	return found
}

// usesCgo reports whether a file imports "C" and would be compiled with cgo.
func usesCgo(with build.Context, dir, name string) bool {
	if strings.HasSuffix(name, "_test.go") {
		return false
	}
	if is, err := with.MatchFile(dir, name); !is || err != nil {
		return false // the go command reports errors
	}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.ImportsOnly)
	if err != nil {
		return false
	}
	for _, imp := range f.Imports {
		if imp.Path.Value == `"C"` {
			return true
		}
	}
	return false
}
