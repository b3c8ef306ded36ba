package resolve

import (
	"errors"
	"fmt"
	gobuild "go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
)

// mains finds the main packages under cmd/ and at the module's root, as "./cmd/api".
// It reads the files' package clauses as the go command does, build constraints
// included; asking the go command would cost more than the rest of resolve.
func (r *Resolved) mains() ([]string, error) {
	var found []string
	look := func(dir, rel string) error {
		main, err := r.isMain(dir)
		if main {
			found = append(found, rel)
		}
		return err
	}
	if err := look(r.Dir, "."); err != nil {
		return nil, err
	}
	top := filepath.Join(r.Dir, "cmd")
	err := filepath.WalkDir(top, func(dir string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		if dir != top {
			base := d.Name()
			if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				return filepath.SkipDir // another module
			}
		}
		rel, err := filepath.Rel(r.Dir, dir)
		if err != nil {
			return err
		}
		return look(dir, "./"+filepath.ToSlash(rel))
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("find main packages: %w", err)
	}
	return found, nil
}

// isMain says whether dir holds a main package for the first platform. Cgo counts
// as on, so that a program that needs it is found, and refused for that.
func (r *Resolved) isMain(dir string) (bool, error) {
	ctx := gobuild.Default
	ctx.GOOS, ctx.GOARCH = r.Plan.Platforms[0].OS, r.Plan.Platforms[0].Architecture
	ctx.CgoEnabled, ctx.BuildTags = true, r.Plan.Build.Tags
	pkg, err := ctx.ImportDir(dir, 0)
	var none *gobuild.NoGoError
	if errors.As(err, &none) {
		return false, nil
	}
	if err != nil && pkg.Name == "" {
		return false, fmt.Errorf("find main packages: %w", err)
	}
	return pkg.Name == "main", nil // what else is wrong, the compiler says better
}

// importPath is the import path of a package folder such as "./cmd/api".
func (r *Resolved) importPath(pkg string) (string, error) {
	clean := path.Clean(filepath.ToSlash(pkg))
	if rest, ok := strings.CutPrefix(clean, r.Plan.Module.Path); ok && (rest == "" || rest[0] == '/') {
		clean = path.Clean("." + rest)
	}
	if !filepath.IsLocal(filepath.FromSlash(clean)) {
		return "", fmt.Errorf("find main package %q: it is not in module %s", pkg, r.Plan.Module.Path)
	}
	dir := filepath.Join(r.Dir, filepath.FromSlash(clean))
	main, err := r.isMain(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if !main {
		return "", fmt.Errorf("find main package %q: no package main in %s for %s", pkg, path.Join(r.Plan.Module.Dir, clean), r.Plan.Platforms[0])
	}
	if clean == "." {
		return r.Plan.Module.Path, nil
	}
	return r.Plan.Module.Path + "/" + clean, nil
}

// execName is the name that `go build` gives the binary of a package: the last
// element of its path that is not a major version.
func execName(importPath string) string {
	elems := strings.Split(importPath, "/")
	last := elems[len(elems)-1]
	if _, major, ok := module.SplitPathVersion(importPath); ok && strings.HasPrefix(major, "/") && len(elems) > 1 {
		last = elems[len(elems)-2]
	}
	return last
}

// Binary is the file name that `go build` gives the image's binary.
func Binary(importPath string) string { return execName(importPath) }
