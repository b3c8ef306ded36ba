package base

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/baseimage"
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/plan"
)

// Request says what Lock pins.
type Request struct {
	// Uses are the bases with their platforms; none of them is scratch.
	Uses []lock.Use
	// Suite is the release of Debian that packages are from.
	Suite string
	// Previous is the last lock; nil if there is none.
	Previous *plan.Lock
	// Signatures are those that images must have.
	Signatures Signatures
	// Now is the time at which indexes of packages must be valid.
	Now time.Time
}

// Lock finds the current content of the bases: all packages of Debian together, and every image.
func Lock(ctx context.Context, s Sources, r Request) (*plan.Lock, error) {
	after := &plan.Lock{Version: lock.Version}
	var selections []plan.DebianSelection
	images := map[string][]plan.Platform{}
	for _, u := range r.Uses {
		if !lock.IsDebian(u.Base) {
			images[u.Base] = append(images[u.Base], u.Platform)
			continue
		}
		arch, err := debian.Architecture(r.Suite, u.Platform)
		if err != nil {
			return nil, fmt.Errorf("base %s: %w", u, err)
		}
		selections = append(selections, plan.DebianSelection{Base: u.Base, With: u.Packages,
			Architecture: arch})
	}
	g, gctx := errgroup.WithContext(ctx)
	if len(selections) > 0 {
		g.Go(func() error {
			return s.Stage("lock debian "+r.Suite, func() (string, error) {
				d, err := debian.Lock(gctx, debian.Request{
					Mirror: s.Debian, Suite: r.Suite, Selections: selections,
					Previous: lock.Suite(r.Previous, r.Suite), Now: r.Now,
				})
				if err != nil {
					return "", err
				}
				after.Debian = append(after.Debian, d)
				return progress.Count(len(d.Packages), "package"), nil
			})
		})
	}
	locked := make(map[string]*plan.ImageLock, len(images))
	for ref := range images {
		locked[ref] = &plan.ImageLock{}
	}
	for ref, platforms := range images {
		to := locked[ref]
		g.Go(func() error {
			return s.Stage("lock "+ref, func() (string, error) {
				l, err := lockImage(gctx, s, ref, platforms, r.Signatures)
				*to = l
				return l.Digest, err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, l := range locked {
		after.Images = append(after.Images, *l)
	}
	return after, nil
}

// lockImage pins one image, and checks the signatures that it must have. Missing platforms are
// allowed unless all are missing; a build for one of them fails later.
func lockImage(ctx context.Context, s Sources, ref string, platforms []plan.Platform, required Signatures) (
	l plan.ImageLock, err error,
) {
	l, err = s.images().Lock(ctx, ref, platforms)
	if missing := new(baseimage.MissingError); errors.As(err, &missing) && len(l.Platforms) > 0 {
		s.Notice(missing.Error() + "; it is pinned without the missing platforms")
	} else if err != nil {
		return l, err
	}
	for _, want := range required.Wanted[ref] {
		if err := checkSignature(ctx, s, l, want, required); err != nil {
			return l, err
		}
	}
	return l, nil
}
