package build

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/plan"
)

// make compiles. Then it makes for each platform the layers and, at the same time, the SBOMs.
// While the compiler runs, the tests run and the source is examined. Assembly waits for all
// three.
func (r *run) make(ctx context.Context, units []*unit, images bool) error {
	commands, err := r.boundMemory()
	if err != nil {
		return err
	}
	r.resolved.Go.Warm = r.compiledBefore(units)
	before, lists, err := r.sourceBefore(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	r.examineBefore(ctx, units, before.Newest(), g)
	if images {
		for _, u := range units {
			if !u.archiveOnly {
				use := baseUse(u) // read before complete changes the unit's image
				g.Go(func() error {
					_, err := r.bases.Base(ctx, use)
					return err
				})
			}
		}
	}
	tested := make(chan struct{})
	g.Go(func() error {
		defer close(tested)
		if r.asked.SkipTests || r.Config.Test.Skip {
			return nil
		}
		err := r.test(ctx)
		if err != nil && r.asked.AllowFailingTests && failedTests(err) {
			r.Progress.Notice("the tests fail, and the release goes on because it was told to")
			return nil
		}
		return err
	})
	completed := make(chan struct{})
	g.Go(func() error {
		var err error
		r.found, err = r.compileSource(ctx, compiling{units: units, images: images, commands: commands, before: before, lists: lists, tested: tested})
		if err != nil {
			return err
		}
		r.noticeDirt()
		r.noticeGenerated()
		close(completed)
		return nil
	})
	for _, platform := range r.resolved.Plan.Targets() {
		g.Go(func() error {
			select {
			case <-completed:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			mine := unitsFor(units, platform)
			// The plan says how the symbols are linked, and it is final only now.
			if err := r.keepSymbols(ctx, platform, mine); err != nil {
				return err
			}
			if err := r.debug.build(ctx, platform); err != nil {
				return err
			}
			for _, u := range mine {
				var err error
				if images {
					err = r.assemble(ctx, u)
				} else {
					err = u.hash()
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return r.copiedUnchanged(r.found)
}

// unitsFor returns the units of one platform.
func unitsFor(units []*unit, platform plan.Platform) (mine []*unit) {
	for _, u := range units {
		if u.platform == platform {
			mine = append(mine, u)
		}
	}
	return mine
}
