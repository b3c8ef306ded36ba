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

// Program is one of the programs of a target.
type Program struct {
	Target
	plan.Program
}

// Programs returns the programs of a target: first the one that the image runs.
func (t Target) Programs() []Program {
	all := []Program{{t, plan.Program{Package: t.Image.Package, Name: t.Image.Name}}}
	for _, p := range t.Image.Programs {
		all = append(all, Program{t, p})
	}
	return all
}

// String returns the program's name and the platform.
func (p Program) String() string { return p.Name + " " + p.Platform.String() }

// First reports whether it is the program that the image runs.
func (p Program) First() bool { return p.Name == p.Image.Name }

// File returns the file name of the program, with the extension that its platform requires.
func (p Program) File() string { return p.Platform.Executable(p.Name) }

// Programs returns the programs of all targets, in their order.
func Programs(targets []Target) (all []Program) {
	for _, t := range targets {
		all = append(all, t.Programs()...)
	}
	return all
}

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
