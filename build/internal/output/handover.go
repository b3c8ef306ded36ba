package output

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/thimble-build/thimble/build/internal/assemble"
	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// Loadable refuses to load images for platforms of which this machine, with its Go architecture,
// is none.
func Loadable(platforms []plan.Platform, arch string) error {
	runs := func(p plan.Platform) bool { return p.Architecture == arch }
	if len(platforms) == 1 || slices.ContainsFunc(platforms, runs) {
		return nil
	}
	return fmt.Errorf(
		"load: none of the platforms is this machine's, which is linux/%s; choose one with -platform",
		arch)
}

// Archivable refuses a docker archive of more than one image for one platform. file is its path.
func Archivable(p *plan.Plan, file string) error {
	if len(p.Images)*len(p.Platforms) > 1 {
		return fmt.Errorf("write docker archive %s: it can contain only one image for one platform; "+
			"choose one with -platform and Config.Images", file)
	}
	return nil
}

// Load passes the images that an engine of this machine's architecture can run to the engine.
// Loadable accepts their platforms.
func Load(ctx context.Context, engine publish.Engine, arch string,
	made *pipeline.Built) ([]report.Loaded, error) {
	var all []report.Loaded
	for _, img := range made.Plan.Images {
		loaded, err := engine.Load(ctx, []string{img.Reference()}, native(made.Of(img.Name), arch).V1)
		if err != nil {
			return nil, err
		}
		all = append(all, loaded)
	}
	return all, nil
}

// native returns the image that this machine's engine can run: that of this machine's
// architecture, or the only one.
func native(images []*assemble.Image, arch string) *assemble.Image {
	for _, i := range images {
		if i.Platform.Architecture == arch {
			return i
		}
	}
	return images[0]
}

// WriteArchive writes the only image for the only platform to a docker archive.
func WriteArchive(ctx context.Context, file string, made *pipeline.Built) error {
	return atomicfile.WriteFunc(file, 0o644, func(w io.Writer) error {
		return publish.Archive(ctx, w, []string{made.Plan.Images[0].Reference()}, made.Images[0].V1)
	})
}
