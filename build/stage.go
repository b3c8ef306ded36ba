package build

import (
	"context"
	"io"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/output"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/release"
	"github.com/thimble-build/thimble/build/internal/resolve"
)

// stage passes the images to the requested engine and archive, because these can fail, and stages
// everything for the output folder. suffix and layouts are those of output.Stage.
func (c *call) stage(ctx context.Context, draft *resolve.Draft, to *target, made *pipeline.Built, suffix string, layouts []release.Layout) (result *Result, err error) {
	result = c.result(made.Plan, made.Tests)
	if version := draft.Previous(); c.summary != nil && len(made.Indexes) > 0 && suffix == "" && version != "" {
		result.Previous = release.FindPrevious(ctx, c.Session, made.Plan, version)
	}
	if len(made.Indexes) > 0 {
		if err := c.handOver(ctx, draft, made, result); err != nil {
			return nil, err
		}
	}
	result.Images, err = output.Stage(ctx, to.dist, made, suffix, layouts)
	return result, err
}

// handOver passes the images to the requested engine and archive, and adds them to the result.
func (c *call) handOver(ctx context.Context, draft *resolve.Draft, made *pipeline.Built, result *Result) error {
	_, arch := draft.Go.Host()
	for _, img := range made.Plan.Images {
		reference := []string{img.Reference()}
		if c.load {
			one, err := output.Native(made.Of(img.Name), arch)
			if err != nil {
				return err
			}
			loaded, err := c.engine.Load(ctx, reference, one.V1)
			if err != nil {
				return err
			}
			result.Loaded = append(result.Loaded, loaded)
		}
		if c.archive != "" { // there is only one image
			result.Archive = c.archive
			err := atomicfile.WriteFunc(c.Path(c.archive), 0o644, func(w io.Writer) error {
				return publish.Archive(ctx, w, reference, made.Images[0].V1)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
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
