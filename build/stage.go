package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/output"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/release"
	"github.com/thimble-build/thimble/build/internal/resolve"
)

// mayHandOver refuses, before anything is built, what the requested engine or archive cannot take.
func (c *call) mayHandOver(draft *resolve.Draft) error {
	if c.load {
		_, arch := draft.Go.Host()
		if err := output.Loadable(draft.Plan.Platforms, arch); err != nil {
			return err
		}
	}
	if c.archive != "" {
		return output.Archivable(draft.Plan, c.archive)
	}
	return nil
}

// stage passes the images to the requested engine and archive, because these can fail, and stages
// everything for the output folder. suffix and layouts are those of output.Stage.
func (c *call) stage(ctx context.Context, draft *resolve.Draft, to *target, made *pipeline.Built,
	suffix string, layouts []release.Layout) (result *Result, err error) {
	result = c.result(made.Plan, made.Tests)
	if version := draft.Previous(); c.summary != nil && len(made.Indexes) > 0 &&
		suffix == "" && version != "" {
		result.Previous = release.FindPrevious(ctx, c.Session, made.Plan, version)
	}
	if c.load {
		_, arch := draft.Go.Host()
		if result.Loaded, err = output.Load(ctx, c.engine, arch, made); err != nil {
			return nil, err
		}
	}
	if result.Archive = c.archive; c.archive != "" {
		if err := output.WriteArchive(ctx, c.Path(c.archive), made); err != nil {
			return nil, err
		}
	}
	result.Images, err = output.Stage(ctx, to.dist, made, suffix, layouts)
	return result, err
}

// commit writes the summary and moves everything into place, the manifest last.
func (c *call) commit(ctx context.Context, to *target, made *pipeline.Built, result *Result) error {
	if c.summary != nil && len(made.Indexes) > 0 {
		text, err := c.summary(result)
		if err != nil {
			return err
		}
		if err := to.dist.Write("summary.md", text); err != nil {
			return err
		}
	}
	manifest, err := result.Manifest.JSON()
	if err != nil {
		return err
	}
	if err := made.Check(ctx); err != nil {
		return err
	}
	return to.dist.Commit(ctx, manifest)
}
