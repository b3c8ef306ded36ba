// Package mainpkg finds the main packages of a module, for which images are made if Config names
// none. It reads the files' package clauses as the go command does, including build constraints,
// and runs nothing: the go command would take longer than the rest of resolving.
//
// It imports very little, because the command that sets up a repository is compiled with it
// first.
package mainpkg

import (
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// Find returns the main packages under cmd/ and at the root of the module in dir, for a platform
// and with build tags, such as "./cmd/api".
func Find(dir string, p plan.Platform, tags []string) ([]string, error) {
	var found []string
	look := func(at, rel string) error {
		main, err := Is(at, p, tags)
		if main {
			found = append(found, rel)
		}
		return err
	}
	if err := look(dir, "."); err != nil {
		return nil, err
	}
	top := filepath.Join(dir, "cmd")
	err := filepath.WalkDir(top, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		if at != top {
			base := d.Name()
			if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") ||
				strings.HasPrefix(base, "_") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
				return filepath.SkipDir // another module
			}
		}
		rel, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		return look(at, "./"+filepath.ToSlash(rel))
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("find main packages: %w", err)
	}
	return found, nil
}

// Is says whether dir has a main package for a platform. Cgo counts as enabled, so that a program
// that needs it is found, and refused with the right error later.
func Is(dir string, p plan.Platform, tags []string) (bool, error) {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH = p.OS, p.Architecture
	ctx.CgoEnabled, ctx.BuildTags = true, tags
	pkg, err := ctx.ImportDir(dir, 0)
	var none *build.NoGoError
	if errors.As(err, &none) {
		return false, nil
	}
	if err != nil && pkg.Name == "" {
		return false, fmt.Errorf("find main packages: %w", err)
	}
	return pkg.Name == "main", nil // the compiler reports other errors better
}
