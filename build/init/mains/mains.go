// Package mains finds the modules of a repository and all their main packages. For each it says
// whether someone would ship it, or why not.
package mains

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/thimble-build/thimble/build/internal/mainpkg"
	"github.com/thimble-build/thimble/build/plan"
)

// Tree is what a repository has.
type Tree struct {
	// Root is the folder of the repository.
	Root string
	// Modules are its modules, sorted by folder.
	Modules []Module
	// Mains are its main packages, sorted by module and package.
	Mains []Main
	// Generated are import paths and folders that "//go:generate go run" names, and the places.
	generated map[string]string
}

// Module is a module of the repository.
type Module struct {
	// Dir is its folder, "" for the root. Path and Go are from go.mod.
	Dir, Path, Go string
	// Workspace says that the go.work at the root uses it.
	Workspace bool
}

// Main is a main package.
type Main struct {
	// Module and Package are those of finding.Program: the folder of the module, and "./cmd/api"
	// or ".".
	Module, Package string
	// Name is what "go build" would call the program, in lower case.
	Name string
	// Left says why nobody ships it, "" otherwise.
	Left string
	// Usual says that it is under cmd/ or at the root of its module.
	Usual bool
	// Runs says that build constraints do not exclude it.
	Runs bool
}

// Dir returns the folder of the package, relative to the root of the repository.
func (m Main) Dir() string { return path.Join(m.Module, m.Package) }

// Look finds all main packages below root for a platform.
func Look(root string, p plan.Platform) (*Tree, error) {
	t := &Tree{Root: root, generated: map[string]string{}}
	work, err := workspace(root)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			if d != nil && d.IsDir() && at != root {
				return filepath.SkipDir // a folder that nobody can read is no source
			}
			return err
		}
		if !d.IsDir() {
			return nil
		}
		name := d.Name()
		if at != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
			slices.Contains(skipped, name)) {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(root, at)
		if err != nil {
			return err
		}
		return t.folder(at, filepath.ToSlash(rel), p, work)
	})
	if err != nil {
		return nil, fmt.Errorf("find main packages: %w", err)
	}
	for i, m := range t.Mains {
		if m.Left == "" {
			t.Mains[i].Left = t.usedByGenerate(m)
		}
	}
	slices.SortFunc(t.Mains, func(a, b Main) int {
		return strings.Compare(a.Module+"\x00"+a.Package, b.Module+"\x00"+b.Package)
	})
	return t, nil
}

// skipped are the folders that the go command does not read, or that contain no Go.
var skipped = []string{"magefiles", "node_modules", "testdata", "vendor"}

// workspace returns the folders that go.work at the root uses.
func workspace(root string) (map[string]bool, error) {
	text, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		return nil, nil // none, or one that the go command will complain about
	}
	f, err := modfile.ParseWork("go.work", text, nil)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, u := range f.Use {
		used[strings.TrimPrefix(path.Clean(u.Path), "./")] = true
	}
	return used, nil
}

func (t *Tree) folder(at, rel string, p plan.Platform, work map[string]bool) error {
	if rel == "." {
		rel = ""
	}
	if text, err := os.ReadFile(filepath.Join(at, "go.mod")); err == nil {
		f, err := modfile.ParseLax("go.mod", text, nil)
		if err != nil || f.Module == nil {
			return nil
		}
		m := Module{Dir: rel, Path: f.Module.Mod.Path, Workspace: work[path.Clean("./"+rel)]}
		if f.Go != nil {
			m.Go = f.Go.Version
		}
		t.Modules = append(t.Modules, m)
	}
	m, ok := t.Of(rel)
	if !ok {
		return nil
	}
	names, err := filepath.Glob(filepath.Join(at, "*.go"))
	if err != nil || len(names) == 0 {
		return nil
	}
	declares, err := t.scan(names, rel)
	if err != nil || !declares {
		return err
	}
	is, err := mainpkg.Is(at, p, nil)
	if err != nil {
		return err
	}
	pkg := "."
	if in := strings.TrimPrefix(strings.TrimPrefix(rel, m.Dir), "/"); in != "" {
		pkg = "./" + in
	}
	main := Main{Module: m.Dir, Package: pkg, Name: nameOf(m.Path, pkg), Runs: is}
	main.Usual = pkg == "." || strings.HasPrefix(pkg, "./cmd/") || pkg == "./cmd"
	main.Left = reason(rel)
	if !is {
		main.Left = "its files are excluded by build constraints, such as ignore or another system"
		if pkg == "." || !onlyMains(names) {
			return nil // helpers beside a package, such as gen.go
		}
	}
	t.Mains = append(t.Mains, main)
	return nil
}

var (
	mainClause = regexp.MustCompile(`(?m)^package main\b`)
	generates  = regexp.MustCompile(
		`(?m)^//go:generate\s+(?:\S+=\S+\s+)*go (?:run|build|install)\s+(?:-\S+\s+)*(\S+)`)
)

// scan reports whether a file declares package main, and records what go:generate runs.
func (t *Tree) scan(names []string, rel string) (declares bool, err error) {
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return false, err
		}
		if !strings.HasSuffix(name, "_test.go") {
			declares = declares || mainClause.Match(text)
		}
		for _, g := range generates.FindAllSubmatch(text, -1) {
			target := string(g[1])
			if strings.HasPrefix(target, ".") {
				target = path.Join(rel, target)
			}
			if strings.HasSuffix(target, ".go") {
				target = path.Dir(target)
			}
			t.generated[target] = path.Join(rel, filepath.Base(name))
		}
	}
	return declares, nil
}

// onlyMains reports whether every file declares package main.
func onlyMains(names []string) bool {
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil || !mainClause.Match(text) {
			return false
		}
	}
	return true
}

func (t *Tree) usedByGenerate(m Main) string {
	mod, _ := t.Of(m.Dir())
	for _, key := range []string{m.Dir(), strings.TrimSuffix(mod.Path+"/"+strings.TrimPrefix(m.Package, "./"),
		"/.")} {
		if from, ok := t.generated[key]; ok && m.Dir() != "." {
			return "go:generate in " + from + " runs it"
		}
	}
	return ""
}

// Of returns the module that a folder belongs to.
func (t *Tree) Of(rel string) (Module, bool) {
	rel = strings.TrimPrefix(path.Clean(rel), "./")
	best, found := Module{}, false
	for _, m := range t.Modules {
		if (m.Dir == "" || rel == m.Dir || strings.HasPrefix(rel, m.Dir+"/")) &&
			(!found || len(m.Dir) > len(best.Dir)) {
			best, found = m, true
		}
	}
	return best, found
}

// Module returns the module in a folder.
func (t *Tree) Module(dir string) (Module, bool) {
	for _, m := range t.Modules {
		if m.Dir == dir {
			return m, true
		}
	}
	return Module{}, false
}

// At returns the main package in a folder relative to the root.
func (t *Tree) At(dir string) (Main, bool) {
	for _, m := range t.Mains {
		if m.Dir() == path.Clean(dir) {
			return m, true
		}
	}
	return Main{}, false
}

// Resolve returns the main packages that "go build" in a folder would compile for these
// arguments: packages, patterns with "...", import paths, or files. It leaves out packages that
// are not in the repository, and with a pattern those that nobody ships.
func (t *Tree) Resolve(dir string, args []string) []Main {
	var all []Main
	add := func(m Main) {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	for _, arg := range args {
		if strings.HasSuffix(arg, ".go") {
			arg = "./" + path.Dir(arg)
		}
		at := path.Join(dir, arg)
		if !strings.HasPrefix(arg, ".") && !path.IsAbs(arg) {
			if in, ok := t.Folder(arg); ok {
				at = in
			} else if _, err := os.Stat(filepath.Join(t.Root, filepath.FromSlash(at))); err != nil &&
				!strings.Contains(arg, "...") {
				continue
			}
		}
		if base, ok := strings.CutSuffix(at, "..."); ok {
			base = strings.TrimSuffix(base, "/")
			for _, m := range t.Mains {
				if m.Left == "" && (base == "" || base == "." || m.Dir() == base ||
					strings.HasPrefix(m.Dir(), base+"/")) {
					add(m)
				}
			}
			continue
		}
		if m, ok := t.At(at); ok {
			add(m)
		}
	}
	return all
}

// Folder returns the folder of an import path. ok is false if it is not in the repository.
func (t *Tree) Folder(importPath string) (dir string, ok bool) {
	best := -1
	for _, m := range t.Modules {
		if (importPath == m.Path || strings.HasPrefix(importPath, m.Path+"/")) && len(m.Path) > best {
			best = len(m.Path)
			dir = path.Join(".", m.Dir, strings.TrimPrefix(importPath, m.Path))
		}
	}
	return dir, best >= 0
}

// nameOf returns what "go build" would call a program, in lower case.
func nameOf(modulePath, pkg string) string {
	importPath := path.Join(modulePath, pkg)
	if prefix, _, ok := module.SplitPathVersion(importPath); ok {
		importPath = prefix
	}
	return strings.ToLower(path.Base(importPath))
}
