package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/thimble-build/thimble/build/init/evidence"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/mainpkg"
	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/internal/process"
	kitplan "github.com/thimble-build/thimble/build/plan"
)

// linux is the platform for which init looks for main packages.
var linux = kitplan.Platform{OS: "linux", Architecture: runtime.GOARCH}

// repository describes the repository that init sets up.
type repository struct {
	// root is the folder that gets magefiles/. dir is the folder of the service's module below
	// it, with slashes, "" if it is the same.
	root, dir string
	// several are the folders of modules with programs, if there is no module at root and no
	// single one below it.
	several []string
	// module is the path of the service's module, goVersion its go line.
	module, goVersion string
	// found is what its files say about images.
	found *evidence.Found

	// top is the git working tree, "" without one. prefix is the path of root below it, with
	// slashes, "" if it is the same.
	top, prefix string
	// remote is the URL of origin, branch the default branch.
	remote, branch string
	// changed are the files below root with uncommitted changes, relative to root.
	changed []string
	// names are the files that git tracks or would add, relative to top.
	names []string
}

// look finds the module and reads the data from git.
func look(ctx context.Context, wd string) (*repository, error) {
	wd, err := filepath.EvalSymlinks(wd)
	if err != nil {
		return nil, err
	}
	r := &repository{branch: "main"}
	if err := r.findModule(wd); err != nil {
		return nil, fmt.Errorf("find the module: %w", err)
	}
	if err := r.askGit(ctx); err != nil {
		return nil, err
	}
	return r, r.readEvidence()
}

// readEvidence reads the files that say what the repository ships. They may be above root.
func (r *repository) readEvidence() error {
	top := r.top
	if top == "" {
		top = r.root
	}
	tree, err := mains.Look(top, linux)
	if err != nil {
		return err
	}
	module := strings.TrimPrefix(path.Join(r.prefix, r.dir), "./")
	if module == "." {
		module = ""
	}
	if r.found, err = evidence.Read(top, r.names, tree, module); err != nil {
		return err
	}
	several := r.found.Several
	if len(several) == 0 && r.found.Module == module {
		several = r.several
	}
	if len(several) > 0 {
		return fmt.Errorf(
			"find the module: several modules have a program: %s; change to the folder of the one that "+
				"makes an image, and run init there (in each, if several do)",
			strings.Join(several, ", "))
	}
	if r.found.Module == module {
		return nil
	}
	// Another module below root ships the programs.
	rel, below := strings.CutPrefix(r.found.Module, r.prefix+"/")
	if r.prefix == "" {
		rel, below = r.found.Module, true
	}
	if !below {
		return nil
	}
	r.dir = rel
	return r.readModule()
}

// folder returns the folder of the service's module.
func (r *repository) folder() string { return filepath.Join(r.root, filepath.FromSlash(r.dir)) }

// findModule looks for go.mod in wd and above, and then below it.
func (r *repository) findModule(wd string) error {
	for dir := wd; ; dir = filepath.Dir(dir) {
		if exists(filepath.Join(dir, "go.mod")) && filepath.Base(dir) != "magefiles" {
			r.root = dir
			return r.readModule()
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	below, err := modulesBelow(wd)
	if err != nil {
		return err
	}
	switch len(below) {
	case 0:
		return fmt.Errorf(
			`no go.mod in %s, above or below it; change to the folder of your service, or run "go mod `+
				`init" there`, wd)
	case 1:
		r.root, r.dir = wd, below[0]
		return r.readModule()
	}
	r.root, r.several = wd, below
	return nil
}

func (r *repository) readModule() error {
	file := filepath.Join(r.folder(), "go.mod")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	mod, err := modfile.ParseLax(file, text, nil)
	if err != nil {
		return err
	}
	if mod.Module == nil {
		return fmt.Errorf(`%s has no module line; run "go mod init" in its folder`, file)
	}
	r.module = mod.Module.Mod.Path
	if mod.Go != nil {
		r.goVersion = mod.Go.Version
	}
	return nil
}

// modulesBelow returns the folders below dir that contain a module with a main package; if
// there are none, the folders of all modules.
func modulesBelow(dir string) ([]string, error) {
	var all, programs []string
	err := walk(dir, func(at, rel string) error {
		if !exists(filepath.Join(at, "go.mod")) {
			return nil
		}
		all = append(all, rel)
		mains, err := mainpkg.Find(at, linux, nil)
		if len(mains) > 0 {
			programs = append(programs, rel)
		}
		return err
	})
	if len(programs) > 0 {
		all = programs
	}
	return all, err
}

// walk calls visit for the folders below dir that the go command would read.
func walk(dir string, visit func(at, rel string) error) error {
	return filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		name := d.Name()
		if at != dir && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
			slices.Contains([]string{"magefiles", "node_modules", "testdata", "vendor"}, name)) {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		return visit(at, filepath.ToSlash(rel))
	})
}

// askGit reads the data from git, if git is used.
func (r *repository) askGit(ctx context.Context) error {
	g, err := git.Open(r.root, os.Environ())
	if errors.Is(err, git.ErrNone) {
		return walk(r.root, func(at, rel string) error {
			entries, err := os.ReadDir(at)
			for _, e := range entries {
				if !e.IsDir() {
					r.names = append(r.names, path.Join(rel, e.Name()))
				}
			}
			return err
		})
	}
	if err != nil {
		return err
	}
	state, err := g.State(ctx)
	if err != nil {
		return err
	}
	r.top, r.remote = g.Root, state.Remote
	prefix, err := filepath.Rel(g.Root, r.root)
	if err != nil {
		return err
	}
	if prefix != "." {
		r.prefix = filepath.ToSlash(prefix)
	}
	untracked, err := g.Untracked(ctx) // by name; the status of a new folder does not list its files
	if err != nil {
		return err
	}
	tracked, err := g.Tracked(ctx)
	if err != nil {
		return err
	}
	r.names = slices.Concat(tracked, untracked)
	for _, name := range slices.Concat(state.Changed, untracked) {
		if strings.HasSuffix(name, "/") {
			continue
		}
		if rel, ok := strings.CutPrefix("/"+name, path.Clean("/"+r.prefix+"/")); ok {
			r.changed = append(r.changed, strings.TrimPrefix(rel, "/"))
		}
	}
	for _, args := range [][]string{
		{"git", "symbolic-ref", "--short", "refs/remotes/origin/HEAD"}, // "origin/main", after a clone
		// otherwise: the branch of the change that adds thimble is not the default
		{"git", "rev-parse", "--verify", "--quiet", "--symbolic-full-name", "refs/heads/main"},
		{"git", "rev-parse", "--verify", "--quiet", "--symbolic-full-name", "refs/heads/master"},
		{"git", "symbolic-ref", "--short", "HEAD"},
	} {
		out, err := process.Output(ctx, process.Command{Args: args, Dir: g.Root, Env: git.Env(os.Environ())})
		if branch := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(string(out)), "refs/heads/"),
			"origin/"); err == nil && branch != "" {
			r.branch = branch
			break
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// here returns a path relative to the working folder, as typed there.
func (r *repository) here(name string) string { return plaintext.Line(r.relative(name)) }

func (r *repository) relative(name string) string {
	at := filepath.Join(r.root, filepath.FromSlash(name))
	wd, err := os.Getwd()
	if err == nil {
		wd, err = filepath.EvalSymlinks(wd)
	}
	rel, relErr := filepath.Rel(wd, at)
	if err != nil || relErr != nil {
		return at
	}
	rel = filepath.ToSlash(rel)
	if !strings.HasPrefix(rel, "../") {
		rel = "./" + path.Clean(rel)
	}
	return rel
}
