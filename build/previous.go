package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/release"
)

// PreviousImage is an image of the release before this one.
type PreviousImage struct {
	// Tag is what the release called it, Digest what the tag points to.
	Tag    string
	Digest string
	// Platforms has the digest and the size of each, as in PlatformResult.
	Platforms []PlatformResult
}

// findPrevious looks for the images of the release before, by name; nil where there are none.
func (r *run) findPrevious(ctx context.Context) map[string]PreviousImage {
	version := r.resolved.Previous()
	if version == "" || r.debug != nil {
		return nil
	}
	var all map[string]PreviousImage
	for name, found := range release.FindPrevious(ctx, r.Session, r.resolved.Plan, version) {
		image := PreviousImage{Tag: found.Tag, Digest: found.Digest}
		for _, p := range found.Platforms {
			image.Platforms = append(image.Platforms, PlatformResult{Platform: p.Platform, Digest: p.Digest, Size: p.Size})
		}
		if all == nil {
			all = map[string]PreviousImage{}
		}
		all[name] = image
	}
	return all
}
