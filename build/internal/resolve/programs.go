package resolve

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/mainpkg"
	"github.com/thimble-build/thimble/build/plan"
)

// fileName matches the names of programs: those that every system accepts.
var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// programs resolves the further programs of an image, sorted by name. own is the plan's module, work
// the active go.work; empty if there is none.
func programs(p *plan.Plan, own workModule, work string, img plan.Image, configured []plan.Program,
) ([]plan.Program, error) {
	if len(configured) == 0 {
		return nil, nil
	}
	modules, err := workspace(own, work)
	if err != nil {
		return nil, err
	}
	var all []plan.Program
	byName := map[string]string{strings.ToLower(
		img.Name): img.Package} // some systems ignore the case of a name
	for _, c := range configured {
		found, err := program(p, modules, img, c)
		if err != nil {
			return nil, err
		}
		switch other := byName[strings.ToLower(found.Name)]; {
		case !fileName.MatchString(found.Name):
			return nil, fmt.Errorf("the program %s: %q is not a name of letters, digits, '.', '_' and '-'",
				found.Package, found.Name)
		case found.Package == img.Package:
			return nil, fmt.Errorf(
				"the program %s is the image's own; remove it from Programs, or add a symlink to Symlinks "+
					"for a second name", found.Package)
		case other != "":
			return nil, fmt.Errorf("two programs are called %q: %s and %s; give one another Name in Programs",
				found.Name, other, found.Package)
		}
		byName[strings.ToLower(found.Name)] = found.Package
		all = append(all, found)
	}
	slices.SortFunc(all, func(a, b plan.Program) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// program finds the main package of a further program in one of the modules. The first is the plan's.
func program(p *plan.Plan, modules []workModule, img plan.Image, c plan.Program) (plan.Program, error) {
	dir := filepath.Join(modules[0].dir, filepath.FromSlash(c.Package))
	if m, rest := moduleOf(modules, filepath.ToSlash(c.Package)); m.path != "" { // an import path
		dir = filepath.Join(m.dir, filepath.FromSlash(rest))
	}
	owner, err := moduleFolder(dir)
	if err != nil {
		return c, fmt.Errorf("find main package %q: %w", c.Package, err)
	}
	i := slices.IndexFunc(modules, func(m workModule) bool {
		same,
			err := sameFolder(m.dir, owner)
		return same && err == nil
	})
	if i < 0 {
		return c, fmt.Errorf(
			"find main package %q: it is in module %s, and not in %s; a workspace can hold both: go work "+
				"use . %[2]s",
			c.Package, shownFrom(modules[0].dir, owner), p.Module.Path)
	}
	m := modules[i]
	main, err := mainpkg.Is(dir, p.Platforms[0], p.Build.Of(img).Tags)
	if err != nil {
		return c, err
	}
	if !main {
		return c, fmt.Errorf("find main package %q: no package main in it for %s", c.Package, p.Platforms[0])
	}
	rel, err := filepath.Rel(owner, dir)
	if err != nil {
		return c, fmt.Errorf("find main package %q: %w", c.Package, err)
	}
	found := plan.Program{Package: path.Join(m.path, filepath.ToSlash(rel)), Name: c.Name}
	if found.Name == "" {
		found.Name = execName(found.Package)
	}
	if i > 0 {
		found.Module = m.path
	}
	return found, nil
}

// workModule is a module of the workspace.
type workModule struct{ path, dir string }

// workspace returns a module, and then the others of a go.work, whose name is empty if none is active.
func workspace(own workModule, work string) ([]workModule, error) {
	all := []workModule{own}
	if work == "" {
		return all, nil
	}
	dirs, err := golist.Workspace(work)
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			return nil, fmt.Errorf("read the modules of the workspace: %w", err)
		}
		if same, err := sameFolder(dir, own.dir); !same && err == nil {
			all = append(all, workModule{modfile.ModulePath(gomod), dir})
		}
	}
	return all, nil
}

func sameFolder(a, b string) (bool, error) {
	x, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y), err
}

// moduleOf returns the module with the longest path that an import path begins with, and the rest.
func moduleOf(modules []workModule, importPath string) (found workModule, rest string) {
	for _, m := range modules {
		after, ok := strings.CutPrefix(importPath, m.path)
		if ok && (after == "" || after[0] == '/') && len(m.path) > len(found.path) {
			found, rest = m, after
		}
	}
	return found, rest
}

// moduleFolder returns the nearest folder with a go.mod, at or above dir.
func moduleFolder(dir string) (string, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", errors.New("there is no such folder")
	}
	for at := dir; ; at = filepath.Dir(at) {
		_, err := os.Stat(filepath.Join(at, "go.mod"))
		if err == nil {
			return at, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if at == filepath.Dir(at) {
			return "", errors.New("no go.mod is in it or above it")
		}
	}
}

// shownFrom returns a folder as a user would write it in another one.
func shownFrom(dir, folder string) string {
	if rel, err := filepath.Rel(dir, folder); err == nil {
		return filepath.ToSlash(rel)
	}
	return folder
}
