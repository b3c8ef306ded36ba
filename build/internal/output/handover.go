package output

import (
	"context"
	"fmt"
	"io"

	"github.com/thimble-build/thimble/build/internal/assemble"
	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/report"
)

// Load passes the images that an engine of this machine's architecture can run to the engine.
func Load(ctx context.Context, engine publish.Engine, arch string, made *pipeline.Built) ([]report.Loaded, error) {
	var all []report.Loaded
	for _, img := range made.Plan.Images {
		one, err := native(made.Of(img.Name), arch)
		if err != nil {
			return nil, err
		}
		loaded, err := engine.Load(ctx, []string{img.Reference()}, one.V1)
		if err != nil {
			return nil, err
		}
		all = append(all, loaded)
	}
	return all, nil
}

// native returns the image that this machine's engine can run: the only one, or that of this
// machine's architecture.
func native(images []*assemble.Image, arch string) (*assemble.Image, error) {
	if len(images) == 1 {
		return images[0], nil
	}
	for _, i := range images {
		if i.Platform.Architecture == arch {
			return i, nil
		}
	}
	return nil, fmt.Errorf("load %s: none of the platforms is this machine's; choose one with -platform", images[0].Image.Name)
}

// WriteArchive writes the only image for the only platform to a docker archive.
func WriteArchive(ctx context.Context, file string, made *pipeline.Built) error {
	return atomicfile.WriteFunc(file, 0o644, func(w io.Writer) error {
		return publish.Archive(ctx, w, []string{made.Plan.Images[0].Reference()}, made.Images[0].V1)
	})
}
