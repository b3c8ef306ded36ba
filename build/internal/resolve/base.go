package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/baseimage"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/plan"
)

// base resolves the base of an image, and how the image is compiled for it.
func (r *Draft) base(img *plan.Image, c plan.ImageConfig) error {
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
			return errors.New(
				"the base is debian, but it has no packages; list some in Packages, such as libc6")
		}
	case len(img.Packages) > 0:
		return fmt.Errorf(
			"base %s: the packages %s cannot be added to it; choose one of the distroless bases, or debian",
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
	if !slices.Contains([]plan.Cgo{"", plan.CgoOn, plan.CgoOff}, c.Cgo) {
		return fmt.Errorf("the setting Cgo is %q; it can be %q or %q", c.Cgo, plan.CgoOn, plan.CgoOff)
	}
	if c.Cgo == "" {
		r.Undecided = append(r.Undecided, img.Name)
	}
	if img.Cgo = c.Cgo == plan.CgoOn; img.Cgo &&
		(img.Base == plan.BaseScratch || img.Base == plan.BaseStatic && len(img.Packages) == 0) {
		return fmt.Errorf(
			"the base %s has no C library, which Cgo needs; choose distroless/base, distroless/cc, "+
				"the base debian with libc6 in Packages, or an image", img.Base)
	}
	return nil
}

// readLock returns the part of thimble.lock.json that the images need, or nil if they need none. An
// image that is named by its digest needs no entry.
func (r *Draft) readLock(ctx context.Context,
	pin func(context.Context, string, []plan.Platform) (plan.ImageLock, error)) (*plan.Lock, error) {
	uses := lock.Uses(r.Plan.Images, r.Plan.Platforms)
	if len(uses) == 0 {
		return nil, nil // the content of the file is not used then
	}
	var err error
	if r.pinned, err = lock.ReadIfThere(filepath.Join(r.Dir, lock.File)); err != nil {
		return nil, err
	}
	all := r.pinned
	if pin != nil {
		byDigest := &plan.Lock{Version: lock.Version}
		for _, u := range uses {
			known := func(i plan.ImageLock) bool { return i.Reference == u.Base }
			if !ByDigest(u.Base) || r.pinned != nil && slices.ContainsFunc(r.pinned.Images, known) ||
				slices.ContainsFunc(byDigest.Images, known) {
				continue
			}
			l, err := pin(ctx, u.Base, r.Plan.Platforms)
			if err != nil {
				return nil, err
			}
			byDigest.Images = append(byDigest.Images, l)
		}
		if len(byDigest.Images) > 0 {
			all = lock.Join(all, byDigest)
		}
	}
	return lock.Select(all, r.Suite, uses)
}

// ByDigest reports whether a base is an image in a registry that is named by its digest.
func ByDigest(base string) bool { return !lock.IsDebian(base) && strings.Contains(base, "@sha256:") }

// CheckLock returns an error if thimble.lock.json has changed since the plan was made from it.
func (r *Draft) CheckLock() error {
	if r.pinned == nil {
		return nil
	}
	now, err := lock.ReadIfThere(filepath.Join(r.Dir, lock.File))
	if err == nil && !reflect.DeepEqual(now, r.pinned) {
		err = fmt.Errorf("%s changed after the plan was made from it; run it again", lock.File)
	}
	return err
}
