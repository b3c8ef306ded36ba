package build

import (
	"context"
	"errors"

	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/output"
)

// Binaries tests and compiles, and puts the binaries and a manifest into the output folder. The
// Result has no digests, layers and SBOMs.
func Binaries(ctx context.Context, o BuildOptions) (*Result, error) {
	result, _, err := produce(ctx, o.Options, making{skipTests: o.SkipTests})
	return result, err
}

// Image tests, compiles and assembles the images, describes them in SBOMs, and puts everything
// into the output folder, which changes only when everything has succeeded. The Result lists what
// is in the folder now; its Manifest is manifest.json.
func Image(ctx context.Context, o ImageOptions) (*Result, error) {
	m := making{images: true, skipTests: o.SkipTests, load: o.Load, archive: o.Archive, summary: o.Summary}
	result, _, err := produce(ctx, o.Options, m)
	return result, err
}

// produce makes images or only binaries, and puts them into the output folder. It also returns the
// files that they were made of.
func produce(ctx context.Context, o Options, m making) (result *Result, files materials.Files, err error) {
	c, err := begin(ctx, o, m, false)
	if err != nil {
		return nil, files, err
	}
	draft, err := c.resolve(ctx, false)
	if err != nil {
		return nil, files, err
	}
	defer func() { err = c.Unfetched(draft.Go, err) }()
	to, err := c.open(ctx, draft, "", false)
	if err != nil {
		return nil, files, err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	made, err := c.build(ctx, draft, to, nil)
	if err != nil {
		return nil, files, err
	}
	defer c.done(made)
	if m.unpublished {
		result = c.result(made.Plan, made.Tests)
		result.Images = output.Images(made, "")
		return result, made.Files, nil
	}
	err = c.Stage("write "+c.Config.Dist, func() (string, error) {
		if result, err = c.stage(ctx, draft, to, made, "", nil); err != nil {
			return "", err
		}
		return "", c.commit(ctx, to, made, result)
	})
	result, err = c.finished(to, result, err)
	return result, made.Files, err
}
