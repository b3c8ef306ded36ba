package artifact

import "github.com/thimble-build/thimble/build/plan"

// Target is an image of a plan for one of its platforms.
type Target struct {
	Image    plan.Image
	Platform plan.Platform
	// ArchiveOnly says that the program goes only into an archive, not into an image.
	ArchiveOnly bool
}

// String returns the image's name and the platform.
func (t Target) String() string { return t.Image.Name + " " + t.Platform.String() }

// Targets returns the images of a plan for all platforms, in the plan's order: first those that
// become images, then those that are only in archives.
func Targets(p *plan.Plan) []Target {
	targets := make([]Target, 0, len(p.Images)*len(p.Targets()))
	for _, img := range p.Images {
		for _, platform := range p.Platforms {
			targets = append(targets, Target{Image: img, Platform: platform})
		}
	}
	for _, img := range p.Images {
		for _, platform := range p.ArchivePlatforms {
			targets = append(targets, Target{Image: img, Platform: platform, ArchiveOnly: true})
		}
	}
	return targets
}
