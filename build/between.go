package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/report"
)

// Between compares two builds by their manifest.json files and, if they are beside these, by
// the layouts, binaries and documents. a and b are such files, or the folders that contain them,
// relative to Options.Workdir. A difference between the builds is not an error: it is in the
// Comparison.
func Between(ctx context.Context, o Options, a, b string) (*report.Comparison, error) {
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	return distfolder.Compare(ctx, s.Path, a, b)
}
