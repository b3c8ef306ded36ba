package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// patience is the time limit for the registry's answer, which is only needed to show a change
// of size.
const patience = 10 * time.Second

// FindPrevious finds the images of an earlier version: under its tag, in the repository of the
// present images. It returns those that exist, by image name; nil if there is none. If the registry
// does not answer, a notice says so.
func FindPrevious(ctx context.Context, s *session.Session, p *plan.Plan,
	version string) map[string]report.PreviousImage {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all map[string]report.PreviousImage
	for _, img := range p.Images {
		if img.Repository == "" {
			continue
		}
		found, err := previousImage(ctx, s, img.Repository, resolve.Tag(version))
		switch {
		case err == nil && found != nil:
			if all == nil {
				all = map[string]report.PreviousImage{}
			}
			all[img.Name] = *found
		case err != nil && !errors.Is(err, offline.ErrOffline):
			s.Progress.Notice(fmt.Sprintf("the summary does not say how sizes changed since %s: %v", version,
				err))
		}
	}
	return all
}

// previousImage reads what a tag points to; nil if there is no such tag.
func previousImage(ctx context.Context, s *session.Session, repository,
	tag string) (*report.PreviousImage, error) {
	repo, err := store.OpenRepository(ctx, s, repository, nil, true)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	digest, err := repo.Resolve(ctx, tag)
	if err != nil || digest.Hex == "" {
		return nil, err
	}
	raw, _, err := repo.Manifest(ctx, digest)
	if err != nil {
		return nil, err
	}
	index, err := ociread.ParseIndex(raw)
	if err != nil {
		return nil, fmt.Errorf("read %s:%s: %w", repository, tag, err)
	}
	found := &report.PreviousImage{Tag: tag, Digest: digest.String()}
	for _, d := range index.Manifests {
		size, err := downloadSize(ctx, repo, d)
		if err != nil {
			return nil, err
		}
		p := report.PlatformResult{Digest: d.Digest.String(), Size: size}
		if d.Platform != nil {
			p.Platform.OS, p.Platform.Architecture, p.Platform.Variant = d.Platform.OS,
				d.Platform.Architecture, d.Platform.Variant
		}
		found.Platforms = append(found.Platforms, p)
	}
	return found, nil
}

// downloadSize returns the size of an image's manifest, configuration and layers, in bytes.
func downloadSize(ctx context.Context, repo *registry.Repository, d v1.Descriptor) (int64, error) {
	raw, _, err := repo.Manifest(ctx, d.Digest)
	if err != nil {
		return 0, err
	}
	m, err := ociread.ParseImage(raw)
	if err != nil {
		return 0, fmt.Errorf("read %s@%s: %w", repo.Name(), d.Digest, err)
	}
	size := int64(len(raw)) + m.Config.Size
	for _, l := range m.Layers {
		size += l.Size
	}
	return size, nil
}
