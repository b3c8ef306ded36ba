package build

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/plan"
)

// make runs everything that can run at once: the tests, the listing of sources,
// and for each platform the compiler, then the layers of what it gives, and beside
// them the description.
func (r *run) make(ctx context.Context, units []*unit, images bool) error {
	commands, err := r.boundMemory()
	if err != nil {
		return err
	}
	r.resolved.Go.Warm = r.compiledBefore(units)
	g, ctx := errgroup.WithContext(ctx)
	r.examineBefore(ctx, units, g)
	if images {
		for _, u := range units {
			if u.image.Base != plan.BaseScratch && !u.bare {
				g.Go(func() error {
					_, err := r.baseOf(ctx, u)
					return err
				})
			}
		}
	}
	if !r.SkipTests && !r.Config.Test.Skip {
		g.Go(func() error {
			err := r.test(ctx)
			if err != nil && r.AllowFailingTests && failedTests(err) {
				r.Progress.Notice("the tests fail, and the release goes on because it was told to")
				return nil
			}
			return err
		})
	}
	// What the go command cannot list it cannot compile either, and the compiler
	// says better why: the error of the listing waits for the compiler's.
	listed := make(chan error, 1)
	g.Go(func() error {
		if images {
			listed <- r.list(ctx, units)
		} else {
			listed <- r.list(ctx, nil)
		}
		return nil
	})
	platforms := r.resolved.Plan.Targets()
	compiled := make(chan error, len(platforms))
	compilers := make(chan struct{}, commands)
	completed := make(chan struct{})
	for _, platform := range platforms {
		g.Go(func() error {
			var mine []*unit
			for _, u := range units {
				if u.platform == platform {
					mine = append(mine, u)
				}
			}
			compilers <- struct{}{}
			err := r.compile(ctx, platform, mine)
			<-compilers
			compiled <- err
			if err != nil {
				return err
			}
			if err := r.keepSymbols(ctx, platform, mine); err != nil {
				return err
			}
			if err := r.debug.build(ctx, platform); err != nil {
				return err
			}
			select {
			case <-completed:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if !images {
				for _, u := range mine {
					if err := u.hash(); err != nil {
						return err
					}
				}
				return nil
			}
			for _, u := range mine {
				if err := r.assemble(ctx, u); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for range platforms {
			if err := <-compiled; err != nil {
				return nil // its own goroutine says so
			}
		}
		if err := <-listed; err != nil {
			return err
		}
		r.complete(units)
		close(completed)
		return nil
	})
	return g.Wait()
}
