package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/report"
)

// SBOMs reads the SBOMs that manifest.json in the output folder lists, in its order: one for each
// image and platform, without those of archives. The error wraps [fs.ErrNotExist] if no image was
// made yet.
func SBOMs(ctx context.Context, o Options) (documents []report.Document, err error) {
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	none := fmt.Errorf("read the SBOMs: %s has no image yet; make one with \"mage image\": %w", s.Config.Dist, fs.ErrNotExist)
	dist, err := distfolder.Open(s.Dist, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, none
	}
	if err != nil {
		return nil, fmt.Errorf("read the SBOMs: %w", err)
	}
	defer dist.Close() // only read
	m, err := dist.Manifest(distfolder.ManifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, none
	}
	if err != nil {
		return nil, fmt.Errorf("read the SBOMs: %w", err)
	}
	if documents, err = dist.SBOMs(m); err != nil {
		return nil, fmt.Errorf("read the SBOMs: %w", err)
	}
	if len(documents) == 0 {
		return nil, none
	}
	return documents, nil
}
