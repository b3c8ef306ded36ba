package lock

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/plan"
)

// Use is one base that a plan needs.
type Use struct {
	// Base and Packages are those of plan.Image.
	Base     string
	Packages []string
	Platform plan.Platform
}

func (u Use) String() string {
	if len(u.Packages) == 0 {
		return u.Base
	}
	return u.Base + " with " + strings.Join(u.Packages, ", ")
}

// Uses returns the bases of the images for the platforms, without scratch.
func Uses(images []plan.Image, platforms []plan.Platform) []Use {
	var uses []Use
	for _, img := range images {
		for _, p := range platforms {
			u := Use{img.Base, img.Packages, p}
			same := func(o Use) bool { return o.Platform == p && o.String() == u.String() }
			if img.Base != plan.BaseScratch && !slices.ContainsFunc(uses, same) {
				uses = append(uses, u)
			}
		}
	}
	return uses
}

// Select returns the part of a lock that the uses need, so that the plan does not depend on other
// entries; nil if there are none. suite is the Debian release. A missing pin is an ErrMissing,
// also if l is nil.
func Select(l *plan.Lock, suite string, uses []Use) (*plan.Lock, error) {
	if len(uses) == 0 {
		return nil, nil
	}
	if l == nil {
		return nil, fmt.Errorf("base %s is not pinned: there is no %s; %w", uses[0], File, ErrMissing)
	}
	part := &plan.Lock{Version: l.Version}
	for _, u := range uses {
		var err error
		if IsDebian(u.Base) {
			err = selectPackages(part, l, suite, u)
		} else {
			err = selectImage(part, l, u)
		}
		if err != nil {
			return nil, err
		}
	}
	sortLock(part)
	return part, nil
}

// IsDebian says whether a base is made of Debian's packages.
func IsDebian(base string) bool {
	return slices.Contains([]string{plan.BaseStatic, plan.BaseBase, plan.BaseCC, plan.BaseDebian}, base)
}

func selectPackages(part, l *plan.Lock, suite string, u Use) error {
	locked := Suite(l, suite)
	if locked == nil {
		return fmt.Errorf("base %s is not pinned for Debian %s; %w", u, suite, ErrMissing)
	}
	arch, err := debian.Architecture(suite, u.Platform)
	if err != nil {
		return fmt.Errorf("base %s: %w", u, err)
	}
	found, err := debian.Find(locked, u.Base, u.Packages, arch)
	if errors.Is(err, debian.ErrNotLocked) {
		return fmt.Errorf("base %s is not pinned for %s; %w", u, u.Platform, ErrMissing)
	}
	if err != nil {
		return fmt.Errorf("base %s for %s: %w", u, u.Platform, err)
	}
	to := Suite(part, suite)
	if to == nil {
		part.Debian = append(part.Debian, plan.DebianLock{Suite: suite,
			Indexes: slices.Clone(locked.Indexes)})
		to = &part.Debian[len(part.Debian)-1]
	}
	to.Selections = append(to.Selections, found.DebianSelection)
	for _, p := range found.Locked {
		if !slices.Contains(to.Packages, p) {
			to.Packages = append(to.Packages, p)
		}
	}
	return nil
}

// Suite returns the lock's entry for a suite, nil if there is none.
func Suite(l *plan.Lock, suite string) *plan.DebianLock {
	if l == nil {
		return nil
	}
	for i := range l.Debian {
		if l.Debian[i].Suite == suite {
			return &l.Debian[i]
		}
	}
	return nil
}

// Image returns the lock's entry for an image, nil if there is none.
func Image(l *plan.Lock, reference string) *plan.ImageLock {
	if l == nil {
		return nil
	}
	for i := range l.Images {
		if l.Images[i].Reference == reference {
			return &l.Images[i]
		}
	}
	return nil
}

func selectImage(part, l *plan.Lock, u Use) error {
	locked := Image(l, u.Base)
	if locked == nil {
		return fmt.Errorf("base %s is not pinned; %w", u.Base, ErrMissing)
	}
	at := slices.IndexFunc(locked.Platforms, func(
		p plan.ImagePlatformLock) bool {
		return p.Platform == u.Platform
	})
	if at < 0 {
		has := make([]string, len(locked.Platforms))
		for i, p := range locked.Platforms {
			has[i] = p.Platform.String()
		}
		slices.Sort(has)
		return fmt.Errorf(
			"base %s is not pinned for %s, only for %s; remove that platform, or %w if the image has it",
			u.Base, u.Platform, strings.Join(has, ", "), ErrMissing)
	}
	to := Image(part, u.Base)
	if to == nil {
		part.Images = append(part.Images, plan.ImageLock{Reference: locked.Reference, Digest: locked.Digest,
			MediaType: locked.MediaType})
		to = &part.Images[len(part.Images)-1]
	}
	to.Platforms = append(to.Platforms, locked.Platforms[at])
	return nil
}

// Join returns a lock with everything that a pins, and what only b pins; either can be nil. Neither
// is changed.
func Join(a, b *plan.Lock) *plan.Lock {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	joined := *a
	joined.Debian = slices.Clone(a.Debian)
	for _, from := range b.Debian {
		i := slices.IndexFunc(joined.Debian, func(d plan.DebianLock) bool { return d.Suite == from.Suite })
		if i < 0 {
			joined.Debian = append(joined.Debian, from)
			continue
		}
		joined.Debian[i] = joinSuite(joined.Debian[i], from)
	}
	joined.Images = slices.Clone(a.Images)
	for _, i := range b.Images {
		if !slices.ContainsFunc(a.Images, func(o plan.ImageLock) bool { return o.Reference == i.Reference }) {
			joined.Images = append(joined.Images, i)
		}
	}
	sortLock(&joined)
	return &joined
}

func joinSuite(a, b plan.DebianLock) plan.DebianLock {
	a.Selections, a.Packages = slices.Clone(a.Selections), slices.Clone(a.Packages)
	for _, s := range b.Selections {
		same := func(o plan.DebianSelection) bool {
			return o.Base == s.Base && o.Architecture == s.Architecture && slices.Equal(o.With, s.With)
		}
		if !slices.ContainsFunc(a.Selections, same) {
			a.Selections = append(a.Selections, s)
		}
	}
	for _, p := range b.Packages {
		if !slices.Contains(a.Packages, p) {
			a.Packages = append(a.Packages, p)
		}
	}
	return a
}
