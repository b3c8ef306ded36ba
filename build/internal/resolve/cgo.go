package resolve

import (
	"context"
	"fmt"
	"slices"

	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/plan"
)

// libc is Debian's package of the C library.
const libc = "libc6"

// cgo finds the C compilers of the images that are compiled with cgo, and checks that the
// packages of their bases include a C library. (If the base is an image, only linking shows
// that.)
func (r *Draft) cgo(ctx context.Context, configured map[string]string) error {
	p := r.Plan
	var first *plan.Image
	for i, img := range p.Images {
		if !img.Cgo {
			continue
		}
		if first == nil {
			first = &p.Images[i]
		}
		if err := hasLibc(p, r.Suite, img); err != nil {
			return fmt.Errorf("image %s (%s): %w", img.Name, img.Package, err)
		}
	}
	if first == nil {
		return nil
	}
	commands := map[plan.Platform]string{}
	for name, command := range configured {
		platform, err := plan.ParsePlatform(name)
		if err != nil {
			return fmt.Errorf("Config.CC: %w", err)
		}
		commands[platform] = command
	}
	for _, platform := range p.Targets() {
		c, err := r.Go.FindC(ctx, platform, commands[platform])
		if err != nil {
			return fmt.Errorf("image %s (%s) has Cgo: %w", first.Name, first.Package, err)
		}
		p.Toolchain.C = append(p.Toolchain.C, c)
	}
	return nil
}

// hasLibc checks the packages that are locked for an image, for this Debian release.
func hasLibc(p *plan.Plan, suite string, img plan.Image) error {
	if !lock.IsDebian(img.Base) {
		return nil
	}
	locked := lock.Suite(p.Lock, suite)
	for _, platform := range p.Platforms {
		arch, err := debian.Architecture(suite, platform)
		if err != nil {
			return err
		}
		s, err := debian.Find(locked, img.Base, img.Packages, arch)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(s.Locked, func(d plan.DebianPackage) bool { return d.Name == libc }) {
			return fmt.Errorf(
				"the base %s has no C library for %s, which Cgo needs; add %s to Packages and run \"mage lock\"",
				lock.Use{Base: img.Base, Packages: img.Packages}, platform, libc)
		}
	}
	return nil
}
