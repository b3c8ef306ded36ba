package resolve

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"

	"github.com/thimble-build/thimble/build/internal/mainpkg"
	"github.com/thimble-build/thimble/build/plan"
)

// mains returns the main packages that become images if Config names none.
func mains(dir string, p *plan.Plan) ([]string, error) {
	return mainpkg.Find(dir, p.Platforms[0], p.Build.Tags)
}

// importPath returns the import path of a package folder such as "./cmd/api". moduleDir is the
// folder of the plan's module, tags are the build tags.
func importPath(moduleDir string, p *plan.Plan, pkg string, tags []string) (string, error) {
	clean := path.Clean(filepath.ToSlash(pkg))
	if rest, ok := strings.CutPrefix(clean, p.Module.Path); ok && (rest == "" || rest[0] == '/') {
		clean = path.Clean("." + rest)
	}
	if !filepath.IsLocal(filepath.FromSlash(clean)) {
		return "", fmt.Errorf("find main package %q: it is not in module %s", pkg, p.Module.Path)
	}
	dir := filepath.Join(moduleDir, filepath.FromSlash(clean))
	info, err := os.Stat(dir)
	main := err == nil && info.IsDir()
	if main {
		if main, err = mainpkg.Is(dir, p.Platforms[0], tags); err != nil {
			return "", err
		}
	}
	if !main {
		return "", fmt.Errorf("find main package %q: no package main in %s for %s", pkg,
			path.Join(p.Module.Dir, clean), p.Platforms[0])
	}
	if clean == "." {
		return p.Module.Path, nil
	}
	return p.Module.Path + "/" + clean, nil
}

// execName returns the name that `go build` gives the binary of a package: the last element of
// its path that is not a major version.
func execName(importPath string) string {
	elems := strings.Split(importPath, "/")
	last := elems[len(elems)-1]
	if _, major, ok := module.SplitPathVersion(importPath); ok && strings.HasPrefix(major, "/") &&
		len(elems) > 1 {
		last = elems[len(elems)-2]
	}
	return last
}

// Binary returns the file name that `go build` gives the image's binary.
func Binary(importPath string) string { return execName(importPath) }
