// Package compile turns main packages into binaries with the go command, and proves that the
// result is what the plan says. Binaries are static unless the plan uses cgo. Its input is a
// plan, its output files; it makes no decisions.
package compile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/ldflags"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/plan"
)

// Path returns where Build writes the binary of a program. It is a stable place, because the go
// command links again whenever its output file is missing. Two images can have further programs of
// the same name.
func Path(dir string, p artifact.Program) string {
	if p.First() {
		return filepath.Join(dir, p.Platform.Key(), p.File())
	}
	return filepath.Join(dir, "programs", p.Image.Name, p.Platform.Key(), p.File())
}

// Error is an error of the compiler. Output is the compiler's output.
type Error struct {
	Package  string
	Platform plan.Platform
	Output   string
	Err      error
}

// Error returns a line of thimble, followed by the compiler's output.
func (e *Error) Error() string {
	return fmt.Sprintf("compile %s for %s:\n%s", e.Package, e.Platform, e.Output)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Build compiles programs for one platform into dir (see Path). It does not change a file that is
// up to date. An error of the compiler is an *Error.
func Build(ctx context.Context, g *gocmd.Go, p *plan.Plan, programs []artifact.Program, dir string) error {
	for _, batch := range batches(programs) {
		img, platform := batch[0].Image, batch[0].Platform
		out := Path(dir, batch[0])
		if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
			return fmt.Errorf("compile for %s: %w", platform, err)
		}
		settings, err := flags(g, p.Build.Of(img), p.Toolchain.Mod, platform)
		if err != nil {
			return fmt.Errorf("compile for %s: %w", platform, err)
		}
		args := append([]string{"build"}, settings...)
		if len(batch) > 1 {
			out = filepath.Dir(out) + string(filepath.Separator)
		}
		args = append(args, "-o", out)
		var names []string
		for _, program := range batch {
			names = append(names, program.Package)
		}
		err = g.Explain(process.Run(ctx, g.Command(g.Settings(platform, img), append(args, names...)...)))
		if err != nil {
			if failed := new(process.Error); errors.As(err, &failed) && failed.Stderr != "" {
				return &Error{Package: strings.Join(names, " "), Platform: platform,
					Output: failed.Stderr, Err: err}
			}
			return fmt.Errorf("compile %s for %s: %w", strings.Join(names, " "), platform, err)
		}
	}
	return nil
}

// batches groups the programs that one `go build -o folder/` can write: those whose binary gets
// the program's name by default, in the same folder and compiled in the same way. Each other
// program is a group.
func batches(programs []artifact.Program) [][]artifact.Program {
	together := map[string]int{} // indexes of all
	var all [][]artifact.Program
	for _, p := range programs {
		img := p.Image
		key := fmt.Sprintf("%q %t %q %q %s", filepath.Dir(Path("", p)), img.Cgo, img.BuildTags,
			img.LDFlags, img.FIPS140)
		i, ok := together[key]
		switch {
		case path.Base(p.Package) != p.Name:
			all = append(all, []artifact.Program{p})
		case ok:
			all[i] = append(all[i], p)
		default:
			together[key] = len(all)
			all = append(all, []artifact.Program{p})
		}
	}
	return all
}

// flags returns the flags of `go build`. They keep the build id: without it the go command
// would link every time.
func flags(g *gocmd.Go, build plan.Build, mod string, platform plan.Platform) ([]string, error) {
	forLinker, err := ldflags.Join(build.LDFlags)
	if err != nil {
		return nil, err
	}
	args := []string{
		"-trimpath", "-mod=" + mod, fmt.Sprintf("-buildvcs=%t", build.Stamp), "-ldflags=" + forLinker,
	}
	for _, f := range build.GCFlags {
		args = append(args, "-gcflags="+f)
	}
	states := g.AssemblyStates[platform]
	for _, pkg := range slices.Sorted(maps.Keys(states)) { // a macro that no code uses
		args = append(args, "-asmflags="+pkg+"=-D=THIMBLE_STATE_"+states[pkg])
	}
	if len(build.Tags) > 0 {
		args = append(args, "-tags="+strings.Join(build.Tags, ","))
	}
	if g.Parallel != "" {
		args = append(args, "-p="+g.Parallel)
	}
	return args, nil
}
