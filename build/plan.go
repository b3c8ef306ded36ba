package build

import (
	"context"
	"slices"

	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/plan"
)

// Plan resolves the Config without compiling. With the platforms "all" it returns the plan of a
// release. The files that would go into the images are compared with the commit. Values that
// are read from a binary are not in the plan: ModuleVersion and Build.VCSModified.
func Plan(ctx context.Context, o Options) (p *plan.Plan, err error) {
	c, err := begin(ctx, o, making{}, false)
	if err != nil {
		return nil, err
	}
	draft, err := c.resolve(ctx, slices.Equal(o.Platforms, []string{"all"}))
	if err != nil {
		return nil, err
	}
	defer func() { err = c.Unfetched(draft.Go, err) }()
	w, err := pipeline.OpenWorkspace(ctx, c.Session, draft, "", false)
	if err != nil {
		return nil, err
	}
	return pipeline.Plan(ctx, pipeline.Request{Session: c.Session, Draft: draft, Workspace: w,
		Standing: c.standing})
}
