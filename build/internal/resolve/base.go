package resolve

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/baseimage"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/plan"
)

// base resolves the base of an image, and how the image is compiled for it.
func (r *Resolved) base(img *plan.Image, c plan.ImageConfig) error {
	img.Packages = slices.Compact(slices.Sorted(slices.Values(c.Packages)))
	if len(img.Packages) == 0 {
		img.Packages = nil
	}
	img.Base = c.Base
	if c.Base == "" && len(img.Packages) > 0 {
		img.Base = plan.BaseDebian
	}
	img.Base = cmp.Or(img.Base, plan.BaseScratch)
	switch {
	case lock.IsDebian(img.Base):
		if img.Base == plan.BaseDebian && len(img.Packages) == 0 {
			return errors.New("the base is debian, and no package is named; list some in Packages, such as libc6")
		}
	case len(img.Packages) > 0:
		return fmt.Errorf("base %s: the packages %s cannot be added to it; choose one of the distroless bases, or debian",
			img.Base, strings.Join(img.Packages, ", "))
	case img.Base != plan.BaseScratch:
		if _, err := baseimage.Parse(img.Base); err != nil {
			return err
		}
		if c.BaseSignature != nil {
			if r.Signed == nil {
				r.Signed = map[string]*plan.BaseSignature{}
			}
			r.Signed[img.Name] = c.BaseSignature
		}
	}
	if img.Cgo = c.Cgo; c.Cgo && (img.Base == plan.BaseScratch || img.Base == plan.BaseStatic && len(img.Packages) == 0) {
		return fmt.Errorf("the base %s has no C library, which Cgo needs; choose distroless/base, distroless/cc, "+
			"the base debian with libc6 in Packages, or an image", img.Base)
	}
	return nil
}

// readLock returns the part of thimble.lock.json that the images need, for this Debian release,
// or nil if they need none. dir is the module's folder.
func readLock(dir, suite string, p *plan.Plan) (*plan.Lock, error) {
	uses := lock.Uses(p.Images, p.Platforms)
	if len(uses) == 0 {
		return nil, nil // the content of the file is not used then
	}
	all, err := lock.ReadIfThere(filepath.Join(dir, lock.File))
	if err != nil {
		return nil, err
	}
	return lock.Select(all, suite, uses)
}
