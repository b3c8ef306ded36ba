package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/report"
)

// SBOMs reads the SBOMs that manifest.json in the output folder lists, in its order: one for each
// image and platform, without those of archives. The error wraps [io/fs.ErrNotExist] if no image was
// made yet.
func SBOMs(ctx context.Context, o Options) ([]report.Document, error) {
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	return distfolder.ReadSBOMs(s.Dist, s.Config.Dist)
}
