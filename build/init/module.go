package main

import (
	"context"
	"errors"
	"fmt"
	goversion "go/version"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// moduleFiles are the go.mod and go.sum of magefiles/.
type moduleFiles struct{ gomod, gosum []byte }

// planModule does not change a go.mod that has what the targets need. own are the Go files that
// init adds to magefiles/.
func planModule(ctx context.Context, r *repository, k *kit, own map[string][]byte) (c changes, err error) {
	text, err := os.ReadFile(filepath.Join(r.root, "magefiles", "go.mod"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	if err == nil {
		f, err := modfile.Parse("magefiles/go.mod", text, nil)
		if err != nil {
			return c, err
		}
		version, tool := "", false
		for _, r := range f.Require {
			if r.Mod.Path == kitPath {
				version = r.Mod.Version
			}
		}
		for _, t := range f.Tool {
			tool = tool || t.Path == magePath
		}
		if version != "" && tool {
			if version != k.version {
				c.notes = append(c.notes, fmt.Sprintf(
					"magefiles/go.mod has thimble %s, this is %s; to change it:\n\n%s", version,
					k.version, goGet(r, k)))
			}
			sum, err := os.ReadFile(filepath.Join(r.root, "magefiles", "go.sum"))
			if err == nil {
				c.files = []file{{path: "magefiles/go.mod", text: text, was: text},
					{path: "magefiles/go.sum", text: sum, was: sum}}
				return c, nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return c, err
			}
		}
	}
	m, err := makeModule(ctx, r, k, own)
	if err != nil {
		return c, err
	}
	gomod, err := wanted(r.root, "magefiles/go.mod", m.gomod)
	if err != nil {
		return c, err
	}
	gosum, err := wanted(r.root, "magefiles/go.sum", m.gosum)
	if err != nil {
		return c, err
	}
	c.files = []file{gomod, gosum}
	if gomod.differs() {
		c.missing = append(c.missing,
			"magefiles/go.mod lacks modules that the targets need; the go command adds them:\n\n"+goGet(r, k))
	}
	return c, nil
}

// goGet returns the commands that change an existing module of magefiles/.
func goGet(r *repository, k *kit) string {
	at := r.here("magefiles")
	return fmt.Sprintf("    GOWORK=off go -C %s get -tool %s@%s\n    GOWORK=off go -C %s get %s@%s\n", at,
		magePath, k.mage, at, targetsPath, k.version)
}

// makeModule makes the module of magefiles/ in a temporary folder. own are the Go files that
// will be in magefiles/. Requirements come from the kit's go.mod and go.sum, so only linked
// modules are downloaded.
func makeModule(ctx context.Context, r *repository, k *kit, own map[string][]byte) (*moduleFiles, error) {
	m, err := workOut(ctx, r, k, own)
	if err != nil {
		return nil, fmt.Errorf(
			"make magefiles/go.mod: %w; this requires the network, a GOPROXY, or a module cache that has them", err)
	}
	return m, nil
}

func workOut(ctx context.Context, r *repository, k *kit, own map[string][]byte) (*moduleFiles, error) {
	temp, err := os.MkdirTemp("", "thimble-init")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	magefiles := filepath.Join(r.root, "magefiles")
	version, err := goCommand(ctx, temp, "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	toolchain, _, _ := strings.Cut(strings.TrimSpace(string(version)), " ")
	gomod, gosum := fresh(r, k, toolchain), string(k.gosum)
	name := "" // of a new module, for packages that are not from the kit
	text, err := os.ReadFile(filepath.Join(magefiles, "go.mod"))
	switch {
	case err == nil:
		if gomod, err = modfile.Parse("magefiles/go.mod", text, nil); err != nil {
			return nil, err
		}
		sum, err := os.ReadFile(filepath.Join(magefiles, "go.sum"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		gosum += string(sum)
		if err := absolute(gomod, magefiles); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case exists(magefiles):
		name = moduleName(r)
		if gosum, err = inherit(gomod, r, gosum); err != nil {
			return nil, err
		}
	}
	if exists(magefiles) {
		if own, err = withFiles(own, magefiles); err != nil {
			return nil, err
		}
	}
	if k.replace != "" {
		if err := gomod.AddReplace(kitPath, "", k.replace, ""); err != nil {
			return nil, err
		}
	}
	gomod.Cleanup()
	if text, err = gomod.Format(); err != nil {
		return nil, err
	}
	files := maps.Clone(own)
	files["go.mod"], files["go.sum"] = text, []byte(gosum)
	for file, text := range files {
		at := filepath.Join(temp, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(at, text, 0o644); err != nil {
			return nil, err
		}
	}
	if k.replace == "" {
		_, err = goCommand(ctx, temp, "get", targetsPath+"@"+k.version)
	} else {
		err = requireReplaced(ctx, temp)
	}
	if err != nil {
		return nil, err
	}
	if name != "" {
		if _, err := goCommand(ctx, temp, "mod", "tidy"); err != nil {
			return nil, err
		}
	}
	return collect(ctx, temp, magefiles, name)
}

// requireReplaced adds the modules that the targets of a checkout need, with those for signatures, to
// a go.mod. "go get" would ask a proxy for the version of the checkout, and some proxies answer
// with another error than "not found".
func requireReplaced(ctx context.Context, dir string) error {
	file := filepath.Join(dir, "thimble_require.go")
	text := "package main\n\nimport _ " + strconv.Quote(targetsPath) + "\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	for _, tags := range []string{"", "thimble_sign"} {
		if _, err := goCommand(ctx, dir, "list", "-deps", "-tags="+tags, "."); err != nil {
			return err
		}
	}
	return os.Remove(file)
}

// moduleName returns the name of a new module in magefiles/.
func moduleName(r *repository) string {
	name := path.Join(r.module, "magefiles")
	if err := module.CheckPath(name); err != nil {
		name = "example.com/" + name // such as module "main", which cannot be imported either
	}
	return name
}

// fresh returns the initial go.mod. The launcher calls the tool in it. The toolchain is the
// lowest version that compiles the targets on any machine: this machine's, if it is newer than
// the kit requires.
func fresh(r *repository, k *kit, toolchain string) *modfile.File {
	line := ""
	if goversion.Compare(toolchain, "go"+k.goVersion) > 0 &&
		!strings.Contains(toolchain, "-") { // otherwise it cannot be downloaded
		line = "\ntoolchain " + toolchain + "\n"
	}
	text := fmt.Sprintf(`// The targets of this repository: a module of its own, so that what they need does
// not enter the service's.
module %s

go %s
%s
tool %s

require %s %s

require %s %s // indirect
`, moduleName(r), k.goVersion, line, magePath, kitPath, k.version, magePath, k.mage)
	f, err := modfile.Parse("go.mod", []byte(text), nil)
	if err != nil {
		panic(err) // a constant of this program
	}
	return f
}

// inherit copies the requirements and replacements of the service's go.mod into a new go.mod,
// because the magefiles were part of that module until now. It also requires the service.
func inherit(f *modfile.File, r *repository, gosum string) (string, error) {
	text, err := os.ReadFile(filepath.Join(r.folder(), "go.mod"))
	if err != nil {
		return "", err
	}
	service, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return "", err
	}
	if err := absolute(service, r.folder()); err != nil {
		return "", err
	}
	// Until it has a go.mod, the folder and its subfolders are packages of the service's module
	// too. With the service's module name they would have the same paths: see collect.
	if err := f.AddModuleStmt(r.module + "-magefiles"); err != nil {
		return "", err
	}
	for _, req := range service.Require {
		if req.Mod.Path != magePath { // the kit's version is as new as its targets need
			f.AddNewRequire(req.Mod.Path, req.Mod.Version, true)
		}
	}
	for _, rep := range service.Replace {
		if err := f.AddReplace(rep.Old.Path, rep.Old.Version, rep.New.Path, rep.New.Version); err != nil {
			return "", err
		}
	}
	f.AddNewRequire(r.module, "v0.0.0-00010101000000-000000000000", true)
	if err := f.AddReplace(r.module, "", r.folder(), ""); err != nil {
		return "", err
	}
	sum, err := os.ReadFile(filepath.Join(r.folder(), "go.sum"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return gosum + string(sum), nil
}

// absolute makes the folders of replacements absolute, so that they are valid in any folder.
func absolute(f *modfile.File, base string) error {
	for _, rep := range f.Replace {
		if modfile.IsDirectoryPath(rep.New.Path) && !filepath.IsAbs(rep.New.Path) {
			if err := f.AddReplace(rep.Old.Path, rep.Old.Version,
				filepath.Join(base, filepath.FromSlash(rep.New.Path)), ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// withFiles adds the Go files in a folder and its subfolders.
func withFiles(own map[string][]byte, dir string) (map[string][]byte, error) {
	all := maps.Clone(own)
	err := walk(dir, func(at, rel string) error {
		names, err := filepath.Glob(filepath.Join(at, "*.go"))
		if err != nil {
			return err
		}
		for _, name := range names {
			key := path.Join(rel, filepath.Base(name))
			if _, ours := all[key]; ours {
				continue
			}
			if all[key], err = os.ReadFile(name); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// collect reads the result of the go command for the module in temp, and sets the module's
// name, unless name is "". It keeps the same lines of go.sum as "go mod tidy" would, which
// needs to download the tests of all modules for that.
func collect(ctx context.Context, temp, magefiles, name string) (*moduleFiles, error) {
	graph, err := goCommand(ctx, temp, "mod", "graph")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(temp, "go.mod"))
	if err != nil {
		return nil, err
	}
	f, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return nil, err
	}
	if err := f.AddTool(magePath); err != nil {
		return nil, err
	}
	if name != "" {
		if err := f.AddModuleStmt(name); err != nil {
			return nil, err
		}
	}
	direct := false
	for _, r := range f.Require {
		direct = direct || r.Mod.Path == kitPath && r.Indirect
	}
	if direct { // the go command does not know that a file of init imports it
		var all []*modfile.Require
		for _, r := range f.Require {
			all = append(all, &modfile.Require{Mod: r.Mod, Indirect: r.Indirect && r.Mod.Path != kitPath})
		}
		f.SetRequireSeparateIndirect(all)
	}
	for _, rep := range f.Replace {
		if filepath.IsAbs(rep.New.Path) && rep.Old.Path != kitPath {
			rel, err := filepath.Rel(magefiles, rep.New.Path)
			if err != nil {
				continue // on another drive (Windows)
			}
			rel = filepath.ToSlash(rel)
			if !strings.HasPrefix(rel, "../") && rel != ".." {
				rel = "./" + rel
			}
			if err := f.AddReplace(rep.Old.Path, rep.Old.Version, rel, ""); err != nil {
				return nil, err
			}
		}
	}
	f.Cleanup()
	m := &moduleFiles{}
	if m.gomod, err = f.Format(); err != nil {
		return nil, err
	}
	sum, err := os.ReadFile(filepath.Join(temp, "go.sum"))
	if err != nil {
		return nil, err
	}
	used := reachable(string(graph), f)
	if slices.ContainsFunc(f.Replace, func(r *modfile.Replace) bool { return r.Old.Path == kitPath }) {
		m.gosum = sum // what a checkout requires is not in the go.mod
		return m, nil
	}
	for line := range strings.Lines(string(sum)) {
		if fields := strings.Fields(line); len(fields) == 3 &&
			used[fields[0]+"@"+strings.TrimSuffix(fields[1], "/go.mod")] {
			m.gosum = append(m.gosum, line...)
		}
	}
	return m, nil
}

// reachable returns the modules that a go.mod requires, as path@version, and all that these
// require. Of the kit's requirements it takes only those in the go.mod, which lists all linked
// modules; the others are for the kit's tests.
func reachable(graph string, f *modfile.File) map[string]bool {
	requires := map[string][]string{}
	for line := range strings.Lines(graph) {
		if from, to, ok := strings.Cut(strings.TrimSpace(line), " "); ok &&
			!strings.HasPrefix(from, kitPath+"@") {
			requires[from] = append(requires[from], to)
		}
	}
	all := map[string]bool{}
	var add func(string)
	add = func(node string) {
		if !all[node] {
			all[node] = true
			for _, next := range requires[node] {
				add(next)
			}
		}
	}
	for _, r := range f.Require {
		add(r.Mod.String())
	}
	return all
}
