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

// base settles what an image stands on, and how it is compiled for it.
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

// lock puts the part of thimble.lock.json that the images need into the plan.
func (r *Resolved) lock() error {
	p := r.Plan
	uses := lock.Uses(p.Images, p.Platforms)
	if len(uses) == 0 {
		return nil // nor does it matter then what is in the file
	}
	all, err := lock.ReadIfThere(filepath.Join(r.Dir, lock.File))
	if err != nil {
		return err
	}
	p.Lock, err = lock.Select(all, r.Suite, uses)
	return err
}
