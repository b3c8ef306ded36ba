package base

import (
	"context"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// debian makes a base of packages. No package is opened if the cache has the layer.
func (s *Set) debian(ctx context.Context, use lock.Use) (Base, string, error) {
	selection, err := selectionOf(s.pinned, use)
	if err != nil {
		return Base{}, "", err
	}
	files := once(func(ctx context.Context) (*tree.Tree, error) { return s.unpack(ctx, use, selection) })
	s.packing.Lock()
	defer s.packing.Unlock()
	key := selection.Key()
	layer, err := s.sources.Cache.Layer(ctx, "base-"+key, s.sources.Compression, func(w io.Writer) error {
		t, err := files(ctx)
		if err != nil {
			return err
		}
		return t.WriteTar(w)
	})
	if err != nil {
		return Base{}, "", err
	}
	b := s.sources.base(&image.Base{
		Name: use.Base, Config: debianConfig(selection), Layers: []image.Layer{{Layer: layer, Name: "base"}},
	}, key, nil)
	b.components = once(func(ctx context.Context) ([]tree.Component, error) {
		return cached(s.sources, "components-base-"+key, func() ([]tree.Component, error) {
			t, err := files(ctx)
			if err != nil {
				return nil, err
			}
			return t.Components(ctx)
		})
	})
	return b, progress.Count(len(selection.Locked), "package"), nil
}

// unpack fetches the packages and unpacks them into a temporary folder.
func (s *Set) unpack(ctx context.Context, use lock.Use, selection debian.Selection) (*tree.Tree, error) {
	if err := selection.Fetch(ctx, s.sources.Debian); err != nil {
		return nil, fmt.Errorf("base %s: %w", use, err)
	}
	dir, err := s.temporary()
	if err != nil {
		return nil, fmt.Errorf("base %s: unpack: %w", use, err)
	}
	t, err := selection.Tree(ctx, s.sources.Debian, dir)
	if err != nil {
		return nil, fmt.Errorf("base %s for %s: %w", use, use.Platform, err)
	}
	return t, nil
}

// selectionOf finds the packages that are pinned for a base. A plan's lock has one suite.
func selectionOf(pinned *plan.Lock, use lock.Use) (debian.Selection, error) {
	if pinned == nil || len(pinned.Debian) == 0 {
		return debian.Selection{}, errNotPinned(use)
	}
	arch, err := debian.Architecture(pinned.Debian[0].Suite, use.Platform)
	if err != nil {
		return debian.Selection{}, fmt.Errorf("base %s: %w", use, err)
	}
	selection, err := debian.Find(&pinned.Debian[0], use.Base, use.Packages, arch)
	if err != nil {
		return debian.Selection{}, fmt.Errorf("base %s: %w", use, err)
	}
	return selection, nil
}

// debianConfig is the configuration of distroless images, without what depends on the service.
func debianConfig(s debian.Selection) v1.Config {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if slices.ContainsFunc(s.Locked, func(p plan.DebianPackage) bool { return p.Name == "ca-certificates" }) {
		env = append(env, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt")
	}
	return v1.Config{Env: env}
}
