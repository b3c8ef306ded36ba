package build

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/plan"
)

// The source that is compared with the commit must be the source that the compiler has read. So
// the stat data of all compiled files is taken before the compiler starts, and again when the
// compiler, the comparison and the tests have ended. (A test may edit a file and restore it.)
// If they differ, everything runs once more; a second difference is an error. The list of files
// is from the last run; if there is none, the go command lists them first. If that list was
// incomplete, everything also runs once more; this is cheap, because the compiler finds
// everything up to date.

// maxChanges is the limit for changes of a file during a run; with fewer changes the run
// continues.
const maxChanges = 2

// maxCompiled limits how often the compiler is started.
const maxCompiled = 5

// compiling is the input of compileSource.
type compiling struct {
	units []*unit
	// images requests the licences of the linked modules.
	images bool
	// commands is how many go commands may run at once.
	commands int
	// before is the stat data of the source, lists are the lists of its files. tested is closed
	// when the tests have ended.
	before source.Snapshot
	lists  materials.Lists
	tested <-chan struct{}
}

// sourceBefore returns the stat data of the files that the last run compiled, and the lists it
// was made from. If there is no last run, the go command lists the files first.
func (r *run) sourceBefore(ctx context.Context) (source.Snapshot, materials.Lists, error) {
	from := r.materials()
	var files []string
	var unknown []plan.Platform
	for _, platform := range from.Platforms() {
		kept, err := from.Kept(platform)
		if err != nil {
			return nil, nil, err
		}
		if kept == nil {
			unknown = append(unknown, platform)
		} else {
			files = append(files, kept.Compiled.Files...)
		}
	}
	lists := materials.Lists{}
	if len(unknown) > 0 {
		err := r.Stage("list sources", func() (string, error) {
			found := make([]*materials.List, len(unknown))
			var g errgroup.Group
			for i, platform := range unknown {
				g.Go(func() error {
					found[i], _ = from.List(ctx, platform) // the compiler reports the problem better
					return nil
				})
			}
			_ = g.Wait()
			for i, platform := range unknown {
				if found[i] != nil {
					lists[platform] = found[i]
					files = append(files, found[i].Compiled.Files...)
				}
			}
			return "", context.Cause(ctx)
		})
		if err != nil {
			return nil, nil, err
		}
	}
	before, err := source.Take(files)
	return before, lists, err
}

// useIncluded makes the compilers use this state.
func (r *run) useIncluded(state materials.Included) {
	r.resolved.Go.CState, r.resolved.Go.AssemblyStates = state.C, state.Assembly
}

// compileSource compiles all platforms and compares the source with the commit. It repeats this
// until the source did not change and the linker got the flags of the plan; then the plan is
// complete.
func (r *run) compileSource(ctx context.Context, c compiling) (*findings, error) {
	stage, changes := "compile", 0
	from := r.materials()
	state, err := from.Included(ctx, c.lists)
	if err != nil {
		return nil, err
	}
	r.useIncluded(state)
	for range maxCompiled {
		found, err := r.compileOnce(ctx, stage, c)
		if err != nil {
			return nil, err
		}
		select {
		case <-c.tested:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		now, err := from.Included(ctx, found.lists)
		if err != nil {
			return nil, err
		}
		changed, err := c.before.Changed(found.compared.Compiled)
		if err != nil {
			return nil, err
		}
		for _, u := range c.units {
			u.before() // it reads the plan, which complete changes
		}
		flags := r.resolved.Plan.Build.LDFlags
		if err := r.complete(c.units, found); err != nil {
			return nil, err
		}
		if changed == "" && now.Equal(state) && slices.Equal(flags, r.resolved.Plan.Build.LDFlags) {
			return found, nil
		}
		if _, known := c.before[changed]; known {
			if changes++; changes == maxChanges {
				return nil, fmt.Errorf("compile: %s changes meanwhile; stop what writes it, and run it again", r.shownPath(changed))
			}
		}
		for _, u := range c.units { // so that the next run knows what was linked
			if err := u.hash(); err != nil {
				return nil, err
			}
			r.linkedFiles().Note(u.path, u.sha256)
		}
		if c.before, err = source.Take(found.compared.Compiled); err != nil {
			return nil, err
		}
		state = now
		r.useIncluded(state)
		stage = "compile again"
	}
	return nil, fmt.Errorf("compile: the source changes meanwhile; stop what writes it, and run it again")
}

// compileOnce compiles all platforms. The source is examined while the compiler runs.
//
// If the go command cannot list a package, it cannot compile it either, and the compiler's
// message is better. So the error of the listing comes after the compiler's.
func (r *run) compileOnce(ctx context.Context, stage string, c compiling) (*findings, error) {
	g, gctx := errgroup.WithContext(ctx)
	var found *findings
	var listErr error
	listed := make(chan struct{})
	go func() {
		defer close(listed)
		described := c.units
		if !c.images {
			described = nil
		}
		found, listErr = r.list(gctx, described)
	}()
	g.SetLimit(c.commands)
	for _, platform := range r.resolved.Plan.Targets() {
		g.Go(func() error { return r.compile(gctx, stage, platform, unitsFor(c.units, platform)) })
	}
	// The context of the listing ends with the compilers, so wait for the listing first, unless
	// a compiler fails.
	<-listed
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return found, listErr
}

// copiedUnchanged returns an error if a copied file changed after it was compared.
func (r *run) copiedUnchanged(found *findings) error {
	changed, err := found.compared.CopiedBefore.Changed(found.compared.Copied)
	if err == nil && changed != "" {
		err = fmt.Errorf("assemble: %s changed meanwhile; stop what writes it, and run it again", r.shownPath(changed))
	}
	return err
}

// shownPath returns an absolute path in the form used in messages.
func (r *run) shownPath(file string) string {
	if rel, err := filepath.Rel(r.Workdir, file); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return file
}
