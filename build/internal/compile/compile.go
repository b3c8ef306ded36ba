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

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/ldflags"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/plan"
)

// Path returns where Build writes the binary of an image. It is a stable place, because the go
// command links again whenever its output file is missing.
func Path(dir string, img plan.Image, platform plan.Platform) string {
	return filepath.Join(dir, platform.Key(), platform.Executable(img.Name))
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

// Build compiles the images' main packages for one platform into dir (see Path). It does not
// change a file that is up to date. An error of the compiler is an *Error.
func Build(ctx context.Context, g *gocmd.Go, p *plan.Plan, platform plan.Platform, images []plan.Image, dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, platform.Key()), 0o755); err != nil {
		return fmt.Errorf("compile for %s: %w", platform, err)
	}
	settings, err := flags(g, p, platform)
	if err != nil {
		return fmt.Errorf("compile for %s: %w", platform, err)
	}
	for _, batch := range batches(images) {
		args := append([]string{"build"}, settings...)
		out := Path(dir, batch[0], platform)
		if len(batch) > 1 {
			out = filepath.Dir(out) + string(filepath.Separator)
		}
		args = append(args, "-o", out)
		var names []string
		for _, img := range batch {
			names = append(names, img.Package)
		}
		err := g.Explain(process.Run(ctx, g.Command(g.Settings(platform, batch[0].Cgo), append(args, names...)...)))
		if err != nil {
			if failed := new(process.Error); errors.As(err, &failed) && failed.Stderr != "" {
				return &Error{Package: strings.Join(names, " "), Platform: platform, Output: failed.Stderr, Err: err}
			}
			return fmt.Errorf("compile %s for %s: %w", strings.Join(names, " "), platform, err)
		}
	}
	return nil
}

// batches groups the images that one `go build -o folder/` can write: those whose binary gets
// the image's name by default, with and without cgo separately. Each other image is a group.
func batches(images []plan.Image) [][]plan.Image {
	var pure, cgo []plan.Image
	var all [][]plan.Image
	for _, img := range images {
		switch {
		case path.Base(img.Package) != img.Name:
			all = append(all, []plan.Image{img})
		case img.Cgo:
			cgo = append(cgo, img)
		default:
			pure = append(pure, img)
		}
	}
	for _, together := range [][]plan.Image{pure, cgo} {
		if len(together) > 0 {
			all = append(all, together)
		}
	}
	return all
}

// flags returns the flags of `go build`. They keep the build id: without it the go command
// would link every time.
func flags(g *gocmd.Go, p *plan.Plan, platform plan.Platform) ([]string, error) {
	forLinker, err := ldflags.Join(p.Build.LDFlags)
	if err != nil {
		return nil, err
	}
	args := []string{
		"-trimpath", "-mod=" + p.Toolchain.Mod, fmt.Sprintf("-buildvcs=%t", p.Build.Stamp), "-ldflags=" + forLinker,
	}
	for _, f := range p.Build.GCFlags {
		args = append(args, "-gcflags="+f)
	}
	states := g.AssemblyStates[platform]
	for _, pkg := range slices.Sorted(maps.Keys(states)) { // a macro that no code uses
		args = append(args, "-asmflags="+pkg+"=-D=THIMBLE_STATE_"+states[pkg])
	}
	if len(p.Build.Tags) > 0 {
		args = append(args, "-tags="+strings.Join(p.Build.Tags, ","))
	}
	if g.Parallel != "" {
		args = append(args, "-p="+g.Parallel)
	}
	return args, nil
}
