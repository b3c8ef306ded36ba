package kitmodule

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

// Repository is the repository whose magefiles/ gets a module: its root, and the path of the
// service's module with its folder. Both folders are absolute.
type Repository struct{ Root, Module, Folder string }

// Files are the go.mod and go.sum of magefiles/.
type Files struct{ GoMod, GoSum []byte }

// Magefiles makes the module of magefiles/ in a temporary folder. own are the Go files that will be
// in magefiles/, by their paths below it. Requirements come from the kit's go.mod and go.sum, so only
// linked modules are downloaded.
func (k *Kit) Magefiles(ctx context.Context, r Repository, own map[string][]byte) (*Files, error) {
	m, err := k.magefiles(ctx, r, own)
	if err != nil {
		return nil, fmt.Errorf(
			"make magefiles/go.mod: %w; this requires the network, a GOPROXY, or a module cache that has them",
			err)
	}
	return m, nil
}

func (k *Kit) magefiles(ctx context.Context, r Repository, own map[string][]byte) (*Files, error) {
	temp, err := os.MkdirTemp("", "thimble-init")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	magefiles := filepath.Join(r.Root, "magefiles")
	version, err := goCommand(ctx, temp, "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	toolchain, _, _ := strings.Cut(strings.TrimSpace(string(version)), " ")
	gomod, gosum := fresh(r, k, toolchain), string(k.GoSum)
	_, err = os.Lstat(magefiles)
	there := err == nil
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
	case there:
		name = moduleName(r)
		if gosum, err = inherit(gomod, r, gosum); err != nil {
			return nil, err
		}
	}
	if k.Replace != "" {
		if err := gomod.AddReplace(Path, "", k.Replace, ""); err != nil {
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
	if k.Replace == "" {
		_, err = goCommand(ctx, temp, "get", TargetsPath+"@"+k.Version)
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
	text := "package main\n\nimport _ " + strconv.Quote(TargetsPath) + "\n"
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
func moduleName(r Repository) string {
	name := path.Join(r.Module, "magefiles")
	if err := module.CheckPath(name); err != nil {
		name = "example.com/" + name // such as module "main", which cannot be imported either
	}
	return name
}

// fresh returns the initial go.mod. The launcher calls the tool in it. The toolchain is the
// lowest version that compiles the targets on any machine: this machine's, if it is newer than
// the kit requires.
func fresh(r Repository, k *Kit, toolchain string) *modfile.File {
	line := ""
	if goversion.Compare(toolchain, "go"+k.GoVersion) > 0 &&
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
`, moduleName(r), k.GoVersion, line, MagePath, Path, k.Version, MagePath, k.Mage)
	f, err := modfile.Parse("go.mod", []byte(text), nil)
	if err != nil {
		panic(err) // a constant of this program
	}
	return f
}

// inherit copies the requirements and replacements of the service's go.mod into a new go.mod,
// because the magefiles were part of that module until now. It also requires the service.
func inherit(f *modfile.File, r Repository, gosum string) (string, error) {
	text, err := os.ReadFile(filepath.Join(r.Folder, "go.mod"))
	if err != nil {
		return "", err
	}
	service, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return "", err
	}
	if err := absolute(service, r.Folder); err != nil {
		return "", err
	}
	// Until it has a go.mod, the folder and its subfolders are packages of the service's module
	// too. With the service's module name they would have the same paths: see collect.
	if err := f.AddModuleStmt(r.Module + "-magefiles"); err != nil {
		return "", err
	}
	for _, req := range service.Require {
		if req.Mod.Path != MagePath { // the kit's version is as new as its targets need
			f.AddNewRequire(req.Mod.Path, req.Mod.Version, true)
		}
	}
	for _, rep := range service.Replace {
		if err := f.AddReplace(rep.Old.Path, rep.Old.Version, rep.New.Path, rep.New.Version); err != nil {
			return "", err
		}
	}
	f.AddNewRequire(r.Module, "v0.0.0-00010101000000-000000000000", true)
	if err := f.AddReplace(r.Module, "", r.Folder, ""); err != nil {
		return "", err
	}
	sum, err := os.ReadFile(filepath.Join(r.Folder, "go.sum"))
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

// collect reads the result of the go command for the module in temp, and sets the module's
// name, unless name is "". It keeps the same lines of go.sum as "go mod tidy" would, which
// needs to download the tests of all modules for that.
func collect(ctx context.Context, temp, magefiles, name string) (*Files, error) {
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
	if err := f.AddTool(MagePath); err != nil {
		return nil, err
	}
	if name != "" {
		if err := f.AddModuleStmt(name); err != nil {
			return nil, err
		}
	}
	direct := false
	for _, r := range f.Require {
		direct = direct || r.Mod.Path == Path && r.Indirect
	}
	if direct { // the go command does not know that a file of init imports it
		var all []*modfile.Require
		for _, r := range f.Require {
			all = append(all, &modfile.Require{Mod: r.Mod, Indirect: r.Indirect && r.Mod.Path != Path})
		}
		f.SetRequireSeparateIndirect(all)
	}
	for _, rep := range f.Replace {
		if filepath.IsAbs(rep.New.Path) && rep.Old.Path != Path {
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
	m := &Files{}
	if m.GoMod, err = f.Format(); err != nil {
		return nil, err
	}
	sum, err := os.ReadFile(filepath.Join(temp, "go.sum"))
	if err != nil {
		return nil, err
	}
	used := reachable(string(graph), f)
	if slices.ContainsFunc(f.Replace, func(r *modfile.Replace) bool { return r.Old.Path == Path }) {
		m.GoSum = sum // what a checkout requires is not in the go.mod
		return m, nil
	}
	for line := range strings.Lines(string(sum)) {
		if fields := strings.Fields(line); len(fields) == 3 &&
			used[fields[0]+"@"+strings.TrimSuffix(fields[1], "/go.mod")] {
			m.GoSum = append(m.GoSum, line...)
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
			!strings.HasPrefix(from, Path+"@") {
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
