package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/pipeline"
)

// Test vets and tests the packages of Config.Test. The Result has only the Plan, as it is before the
// compilation, the Tests and the times. If tests fail, there is only the error: it names the
// packages and has the output of the failed tests.
func Test(ctx context.Context, o Options) (result *Result, err error) {
	c, err := begin(ctx, o, making{}, false)
	if err != nil {
		return nil, err
	}
	draft, err := c.resolve(ctx, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = c.Unfetched(draft.Go, err) }()
	g := *draft.Go
	if _, err := pipeline.BoundMemory(c.Session, &g); err != nil {
		return nil, err
	}
	tests, err := pipeline.Test(ctx, c.Session, draft.WithGo(&g))
	if err != nil {
		return nil, err
	}
	return c.result(draft.Plan, tests), nil
}
