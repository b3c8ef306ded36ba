// Package kitmodule reads the kit's module, and makes the module of magefiles/ that requires it. It
// downloads what is linked into a magefile with the go command, and writes only into temporary
// folders.
package kitmodule

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

// Path is the module of the kit, MagePath that of mage; TargetsPath is the package of the targets.
const (
	Path        = "github.com/thimble-build/thimble"
	MagePath    = "github.com/magefile/mage"
	TargetsPath = Path + "/build/targets"
)

// Kit is the module of the kit in the module cache, or in a checkout.
type Kit struct {
	Version string
	// Replace is the folder of a checkout that is used instead of a published version, or "".
	Replace string
	// GoVersion is its go line, Mage the version of mage that it requires.
	GoVersion, Mage string
	// GoSum is its go.sum, which the go command has verified together with the module.
	GoSum []byte
	// Targets are the targets that a repository gets, sorted by name.
	Targets []Target
}

// Target is a target as "mage -l" shows it.
type Target struct{ Name, Synopsis string }

// Fetch downloads the kit to the module cache if necessary, and reads it there. It reads a
// checkout where it is.
func Fetch(ctx context.Context, version, checkout string) (*Kit, error) {
	if checkout != "" {
		k, err := read(checkout)
		if err != nil {
			return nil, fmt.Errorf("read the checkout %s: %w", checkout, err)
		}
		k.Version, k.Replace = version, checkout
		return k, nil
	}
	temp, err := os.MkdirTemp("", "thimble-init")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	out, err := goCommand(ctx, temp, "mod", "download", "-json", Path+"@"+version)
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
			Path, version, err)
	}
	k, err := read(m.Dir)
	if err != nil {
		return nil, fmt.Errorf("read %s@%s: %w", Path, version, err)
	}
	k.Version = version
	return k, nil
}

func read(dir string) (*Kit, error) {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, err
	}
	mod, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return nil, err
	}
	k := &Kit{}
	if mod.Go != nil {
		k.GoVersion = mod.Go.Version
	}
	for _, r := range mod.Require {
		if r.Mod.Path == MagePath {
			k.Mage = r.Mod.Version
		}
	}
	if k.GoVersion == "" || k.Mage == "" {
		return nil, errors.New("its go.mod has no version of Go or of mage")
	}
	if k.GoSum, err = os.ReadFile(filepath.Join(dir, "go.sum")); err != nil {
		return nil, err
	}
	k.Targets, err = readTargets(filepath.Join(dir, "build", "targets"))
	return k, err
}

// readTargets returns the exported functions of a package of targets, sorted by name.
func readTargets(dir string) ([]Target, error) {
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
	pkg, err := doc.NewFromFiles(set, files, TargetsPath)
	if err != nil {
		return nil, err
	}
	var all []Target
	for _, f := range pkg.Funcs {
		if ReturnsOnlyError(f.Decl.Type) {
			// like mage: the first word is the target's name
			_, synopsis, _ := strings.Cut(pkg.Synopsis(f.Doc), " ")
			all = append(all, Target{strings.ToLower(f.Name), synopsis})
		}
	}
	return all, nil
}

// ReturnsOnlyError reports whether a function's results allow it to be a target.
func ReturnsOnlyError(f *ast.FuncType) bool {
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
