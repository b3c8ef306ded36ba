// Package delve builds the debugger for debug images. It takes a repository and a platform, and
// returns a static dlv of the version that the repository pins as a tool, and the modules linked
// into it. It decides nothing about images.
//
// The version is that of a tool line,
//
//	tool github.com/go-delve/delve/cmd/dlv
//
// in magefiles/go.mod, or in the go.mod of the working folder if magefiles has none. So go.sum
// covers all compiled code, and the service's module graph does not contain it.
package delve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/plan"
)

// Module is delve's module, Package its command.
const (
	Module  = "github.com/go-delve/delve"
	Package = Module + "/cmd/dlv"
)

// ErrUnsupported is the cause of an error of Check when delve has no port to a platform.
var ErrUnsupported = errors.New("delve does not support the platform")

// ErrNotPinned is the cause of an error of Find when no go.mod has the tool line.
var ErrNotPinned = errors.New("no version is pinned")

// Source is the source of dlv.
type Source struct {
	// Version of delve, such as "v1.27.2".
	Version string
	// Go is the go command in the folder of the go.mod that pins it.
	Go   *gocmd.Go
	plan *plan.Plan
}

// Find finds the go.mod with the tool line in workdir. env is the user's environment; the go
// command gets the variables in more, too, while it fetches.
func Find(ctx context.Context, workdir string, env []string, more ...string) (*Source, error) {
	for _, name := range []string{filepath.Join("magefiles", "go.mod"), "go.mod"} {
		b, err := os.ReadFile(filepath.Join(workdir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find delve: %w", err)
		}
		mod, err := modfile.Parse(name, b, nil)
		if err != nil {
			return nil, fmt.Errorf("find delve: %w", err)
		}
		for _, tool := range mod.Tool {
			if tool.Path == Package {
				return open(ctx, filepath.Dir(filepath.Join(workdir, name)), env, more)
			}
		}
	}
	return nil, fmt.Errorf(
		"find delve: %w: it is not a tool in magefiles/go.mod or go.mod; run \"go -C magefiles get -tool "+
			"%s@latest\"", ErrNotPinned, Package)
}

func open(ctx context.Context, dir string, env, more []string) (*Source, error) {
	g, err := gocmd.Read(ctx, dir, append(env[:len(env):len(env)], "GOWORK=off"), more...)
	if err == nil {
		err = g.Fetch(ctx, more)
	}
	if err != nil {
		return nil, fmt.Errorf("find delve: %w", err)
	}
	out, err := process.Output(ctx, g.Command(nil, "list", "-mod="+g.ModMode,
		"-f={{with .Module}}{{.Version}}{{end}}", Package))
	if err != nil {
		return nil, fmt.Errorf("find delve: %w", err)
	}
	version := strings.TrimSpace(string(out))
	return &Source{Version: version, Go: g, plan: &plan.Plan{
		Module: plan.Module{Path: Module},
		Toolchain: plan.Toolchain{Version: g.Version, Experiment: g.Experiment,
			FIPS140: g.FIPS140, Mod: g.ModMode},
		Build:  plan.Build{LDFlags: []string{"-s", "-w"}},
		Images: []plan.Image{{Name: "dlv", Package: Package}},
	}}, nil
}

// Check finds out whether delve supports the platform, without compiling: if not, its package
// native has a file of a package with another name, which makes the compiler fail.
func (s *Source) Check(ctx context.Context, platform plan.Platform) error {
	err := process.Run(ctx, s.Go.Command(platform.Env(), "list", "-mod="+s.plan.Toolchain.Mod, "-f={{.Name}}",
		Module+"/pkg/proc/native"))
	if failed := new(process.Error); errors.As(err, &failed) &&
		strings.Contains(failed.Stderr, "_is_not_supported_by_delve") {
		return fmt.Errorf(
			"%w %s (delve %s); choose others with -platform, such as linux/amd64 or linux/arm64",
			ErrUnsupported, platform, s.Version)
	}
	if err != nil {
		return fmt.Errorf("ask whether delve supports %s: %w", platform, err)
	}
	return nil
}

// Path returns the path where Build writes dlv.
func (s *Source) Path(platform plan.Platform, dir string) string {
	return compile.Path(dir, s.program(platform))
}

// program returns dlv for a platform.
func (s *Source) program(platform plan.Platform) artifact.Program {
	return artifact.Target{Image: s.plan.Images[0], Platform: platform}.Programs()[0]
}

// Build compiles dlv for the platform, below dir, and checks that it is static. It does not write
// a file that is up to date.
func (s *Source) Build(ctx context.Context, platform plan.Platform,
	dir string) (info *debug.BuildInfo, err error) {
	if err := compile.Build(ctx, s.Go, s.plan, []artifact.Program{s.program(platform)}, dir); err != nil {
		return nil, fmt.Errorf("build delve %s: %w", s.Version, err)
	}
	f, err := os.Open(s.Path(platform, dir))
	if err != nil {
		return nil, fmt.Errorf("build delve %s: %w", s.Version, err)
	}
	defer f.Close() // only read
	if info, err = compile.Prove(f, s.plan, s.program(platform)); err != nil {
		return nil, fmt.Errorf("build delve %s: %w", s.Version, err)
	}
	if info.Main.Version != s.Version {
		return nil, fmt.Errorf("build delve %s: the binary is of version %s", s.Version, info.Main.Version)
	}
	return info, nil
}

// Modules lists the modules that dlv links on the platform.
func (s *Source) Modules(ctx context.Context, platform plan.Platform) ([]golist.Module, error) {
	main := golist.MainOf(s.plan, s.plan.Images[0], Package)
	listed, err := golist.List(ctx, golist.Tree{Go: s.Go, Mod: s.plan.Toolchain.Mod,
		Mains: []golist.Main{main}}, platform)
	if err != nil {
		return nil, fmt.Errorf("list delve's modules: %w", err)
	}
	return listed.Modules(main), nil
}
