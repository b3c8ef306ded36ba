package release

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/baseimage"
	"github.com/thimble-build/thimble/build/internal/ldflags"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/plan"
)

// Destination is a repository that one image goes to.
type Destination struct {
	// Image is the image's name, Name is the repository's name in Config.
	Image, Name string
	// Tags are the tags of the image in this repository: the plan's first, then moving tags.
	Tags []registry.Tag

	repo *registry.Repository
	// found says where the tags pointed before anything was made.
	found map[string]v1.Hash
}

// Destinations are all repositories of a release; none means the output folder.
type Destinations []Destination

// Close closes the connections to the repositories.
func (to Destinations) Close() {
	for _, d := range to {
		d.repo.Close()
	}
}

// Preflight checks everything that can be checked before the compilation: who signs, whether
// pushing is allowed, where the tags point. Without a repository and a key, it makes a key.
func Preflight(ctx context.Context, s *session.Session,
	p *plan.Plan) (to Destinations, signer signing.Signer, err error) {
	cfg := s.Config.Release
	for _, img := range p.Images {
		if err := ldflags.Check(p.Build.Of(img).LDFlags, nil); err != nil {
			s.Progress.Notice(fmt.Sprintf(
				"a rebuild of this release (reproduce -from) needs -allowLinkerFlag: %v", err))
			break
		}
	}
	moving := MovingTags(cfg, p)
	if len(cfg.MovingTags) > len(moving) {
		s.Progress.Notice(fmt.Sprintf(
			"%s is not moved: %s is a pre-release; set Config.Release.MoveTagsForPrereleases to move it",
			strings.Join(cfg.MovingTags, ", "), p.Version))
	}
	err = s.Stage("preflight", func() (string, error) {
		for _, f := range cfg.Forms {
			if f := attest.Form(f); f != attest.Bundles && f != attest.Tags {
				return "", fmt.Errorf("form %q of Config.Release.Forms is not known; use %q or %q", f,
					attest.Bundles, attest.Tags)
			}
		}
		var err error
		if to, err = open(ctx, s, p, moving); err != nil {
			return "", err
		}
		if len(to) == 0 && cfg.Key == "" && cfg.Keyless == nil {
			signer, err = signing.DevelopmentSigner(s)
			if err == nil {
				s.Progress.Notice("no repository and no key: the release stays in " + s.Config.Dist +
					", signed with a key that was made for it")
			}
			return "", err
		}
		signer, err = signing.OpenSigner(ctx, s)
		if err == nil && len(to) == 0 {
			s.Progress.Notice("no repository: the release stays in " + s.Config.Dist)
		}
		return "", err
	})
	if err != nil {
		to.Close()
		return nil, signer, err
	}
	return to, signer, nil
}

// PreflightPreview is Preflight for images that are pushed unsigned.
func PreflightPreview(ctx context.Context, s *session.Session, p *plan.Plan) (to Destinations, err error) {
	err = s.Stage("preflight", func() (string, error) {
		var err error
		if to, err = open(ctx, s, p, nil); err == nil && len(to) == 0 {
			err = errors.New("push: there is no repository; set THIMBLE_REPOSITORY, such as ghcr.io/acme")
		}
		return "", err
	})
	return to, err
}

// MovingTags returns the tags in Config that a release of this version moves.
func MovingTags(cfg plan.ReleaseConfig, p *plan.Plan) []string {
	if !cfg.MoveTagsForPrereleases && resolve.IsPrerelease(p.Version) {
		return nil
	}
	return cfg.MovingTags
}

// open logs in to every repository and checks whether pushing is allowed. After an error, none
// is open.
func open(ctx context.Context, s *session.Session, p *plan.Plan,
	moving []string) (to Destinations, err error) {
	defer func() {
		if err != nil {
			to.Close()
			to = nil
		}
	}()
	for _, img := range p.Images {
		var names []string
		if img.Repository != "" {
			names = append(names, img.Repository)
		}
		for _, prefix := range s.Config.Release.Repositories {
			names = append(names, path.Join(prefix, img.Name))
		}
		for _, name := range names {
			d := Destination{Image: img.Name, Name: name, Tags: planned(img)}
			for _, t := range moving {
				d.Tags = append(d.Tags, registry.Tag{Name: t, Moving: true})
			}
			mounts, err := mountCandidates(img, to)
			if err != nil {
				return to, err
			}
			if d.repo, err = store.OpenRepository(ctx, s, name, mounts, false); err != nil {
				return to, err
			}
			found, err := d.repo.Preflight(ctx, d.Tags, v1.Hash{})
			d.found = found.Tags
			to = append(to, d) // so that it is closed too
			if err != nil {
				return to, err
			}
		}
	}
	return to, nil
}

// planned returns the tags that the plan gives an image. They never move.
func planned(img plan.Image) (tags []registry.Tag) {
	for _, name := range img.Tags {
		tags = append(tags, registry.Tag{Name: name})
	}
	return tags
}

// mountCandidates returns the repositories that may already have an image's blobs: that of its
// base, and those of the same release.
func mountCandidates(img plan.Image, before Destinations) ([]string, error) {
	var names []string
	if img.Base != plan.BaseScratch && !lock.IsDebian(img.Base) {
		base, err := baseimage.Parse(img.Base)
		if err != nil {
			return nil, err
		}
		if base.Kind == baseimage.Registry {
			names = append(names, base.Repository)
		}
	}
	for _, d := range before {
		names = append(names, d.Name)
	}
	return names, nil
}
