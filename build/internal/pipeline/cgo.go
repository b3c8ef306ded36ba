package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/plan"
)

// leftOut returns the packages that an image links without their files that use cgo, on any of its
// platforms, sorted.
func leftOut(p *plan.Plan, img plan.Image, lists materials.Lists) (found []string) {
	for _, platform := range p.Targets() {
		for _, main := range golist.Mains(p, img) {
			found = append(found, lists[platform].LeftOut[main.Key()]...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// undecided returns an error if an image leaves out files that use cgo, although nobody decided that.
func undecided(draft *resolve.Draft, lists materials.Lists) error {
	for _, img := range draft.Plan.Images {
		if left := leftOut(draft.Plan, img, lists); len(left) > 0 &&
			slices.Contains(draft.Undecided, img.Name) {
			return fmt.Errorf(
				"image %s is compiled without cgo, so code of %s is left out; set Cgo of the image: "+
					`"off" if the service works without that code, or "on", which needs a base with a C `+
					`library, such as distroless/base`,
				img.Name, strings.Join(left, ", "))
		}
	}
	return nil
}

// cgoNotices says what was left out. names are the images for which nobody decided about cgo.
func cgoNotices(p *plan.Plan, lists materials.Lists, names []string) (notices []string) {
	for _, img := range p.Images {
		left := leftOut(p, img, lists)
		if len(left) == 0 {
			continue
		}
		text := fmt.Sprintf("image %s is compiled without cgo, so code of %s is left out", img.Name,
			strings.Join(left, ", "))
		if slices.Contains(names, img.Name) {
			text += `; set Cgo to "on" or "off", which a release requires`
		}
		notices = append(notices, text)
	}
	return notices
}
