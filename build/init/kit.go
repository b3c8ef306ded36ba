package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/thimble-build/thimble/build/internal/process"
)

const (
	// kitPath is the module of the targets.
	kitPath     = "github.com/thimble-build/thimble"
	magePath    = "github.com/magefile/mage"
	targetsPath = kitPath + "/build/targets"
)

// kit is the module of the targets in the module cache.
type kit struct {
	version string
	// replace is the folder of a checkout that is used instead of a published version, or "".
	replace string
	// goVersion is its go line, mage the version of mage that it requires.
	goVersion, mage string
	// gosum is its go.sum, which the go command has verified together with the module.
	gosum []byte
	// targets are the targets that a repository gets.
	targets []target
}

type target struct{ name, synopsis string }

// targetName returns a target's name as typed: with the alias of the targets, if they have one.
func targetName(alias, name string) string {
	if alias == "" {
		return name
	}
	return alias + ":" + name
}

// fetchKit downloads the kit to the module cache if necessary, and reads it there. It reads a
// checkout where it is.
func fetchKit(ctx context.Context, version, checkout string) (*kit, error) {
	if checkout != "" {
		k, err := readKit(checkout)
		if err != nil {
			return nil, fmt.Errorf("read the checkout %s: %w", checkout, err)
		}
		k.version, k.replace = version, checkout
		return k, nil
	}
	temp, err := os.MkdirTemp("", "thimble-init")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	out, err := goCommand(ctx, temp, "mod", "download", "-json", kitPath+"@"+version)
	var m struct{ Dir, Error string }
	if decodeErr := json.Unmarshal(out, &m); err == nil {
		err = decodeErr
	}
	if m.Error != "" {
		err = errors.New(m.Error)
	}
	if err != nil {
		return nil, fmt.Errorf(
			"fetch %s@%s: %w; this requires the network, a GOPROXY, or a module cache that has it",
			kitPath, version, err)
	}
	k, err := readKit(m.Dir)
	if err != nil {
		return nil, fmt.Errorf("read %s@%s: %w", kitPath, version, err)
	}
	k.version = version
	return k, nil
}

func readKit(dir string) (*kit, error) {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, err
	}
	mod, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return nil, err
	}
	k := &kit{}
	if mod.Go != nil {
		k.goVersion = mod.Go.Version
	}
	for _, r := range mod.Require {
		if r.Mod.Path == magePath {
			k.mage = r.Mod.Version
		}
	}
	if k.goVersion == "" || k.mage == "" {
		return nil, errors.New("its go.mod has no version of Go or of mage")
	}
	if k.gosum, err = os.ReadFile(filepath.Join(dir, "go.sum")); err != nil {
		return nil, err
	}
	k.targets, err = readTargets(filepath.Join(dir, "build", "targets"))
	return k, err
}

// readTargets returns the exported functions of a package of targets, sorted by name.
func readTargets(dir string) ([]target, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, nil
	}
	pkg, err := doc.NewFromFiles(set, files, targetsPath)
	if err != nil {
		return nil, err
	}
	var all []target
	for _, f := range pkg.Funcs {
		if returnsOnlyError(f.Decl.Type) {
			// like mage: the first word is the target's name
			_, synopsis, _ := strings.Cut(pkg.Synopsis(f.Doc), " ")
			all = append(all, target{strings.ToLower(f.Name), synopsis})
		}
	}
	return all, nil
}

// returnsOnlyError reports whether a function's results allow it to be a target.
func returnsOnlyError(f *ast.FuncType) bool {
	if f.Results == nil || len(f.Results.List) == 0 {
		return true
	}
	id, ok := f.Results.List[0].Type.(*ast.Ident)
	return ok && id.Name == "error" && len(f.Results.List) == 1
}

// goCommand runs the go command for the module of the targets. It ignores go.work and GOFLAGS,
// which are settings for the service.
func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	flags := "-mod=mod"
	if strings.Contains(os.Getenv("GOFLAGS"), "-modcacherw") {
		flags += " -modcacherw"
	}
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GOTOOLCHAIN_INTERNAL_") {
			env = append(env, e)
		}
	}
	env = append(env, "GOWORK=off", "GOFLAGS="+flags, "GO111MODULE=on", "PWD="+dir)
	return process.Output(ctx, process.Command{Args: append([]string{"go"}, args...), Dir: dir, Env: env})
}
