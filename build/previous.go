package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/release"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/plan"
)

// PreviousImage is an image of the previous release.
type PreviousImage struct {
	// Tag is the tag of the previous release. Digest is the digest that the tag points to.
	Tag    string
	Digest string
	// Platforms has the digest and the size of each platform, as in PlatformResult.
	Platforms []PlatformResult
}

// findPrevious finds the images of the previous release, by name; nil if there are none.
func (c *call) findPrevious(ctx context.Context, draft *resolve.Resolved, p *plan.Plan) map[string]PreviousImage {
	version := draft.Previous()
	if version == "" {
		return nil
	}
	var all map[string]PreviousImage
	for name, found := range release.FindPrevious(ctx, c.Session, p, version) {
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
