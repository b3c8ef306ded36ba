package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/resolve"
)

// PreviousImage is an image of the release before this one.
type PreviousImage struct {
	// Tag is what the release called it, Digest what the tag points to.
	Tag    string
	Digest string
	// Platforms has the digest and the size of each, as in PlatformResult.
	Platforms []PlatformResult
}

// patience is how long the registry is waited for, when only the change of a size is to
// be told.
const patience = 10 * time.Second

// findPrevious looks for the images of the release before: under its tag, in the
// repository that the present ones are for. Without an answer, the result has none.
func (r *run) findPrevious(ctx context.Context) {
	version := r.resolved.Previous()
	if version == "" || r.debug != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, img := range r.resolved.Plan.Images {
		if img.Repository == "" {
			continue
		}
		found, err := r.previousImage(ctx, img.Repository, resolve.Tag(version))
		switch {
		case err == nil && found != nil:
			if r.done.Previous == nil {
				r.done.Previous = map[string]PreviousImage{}
			}
			r.done.Previous[img.Name] = *found
		case err != nil && !errors.Is(err, ErrOffline):
			r.Progress.Notice(fmt.Sprintf("the summary does not say how sizes changed since %s: %v", version, err))
		}
	}
}

// previousImage reads what a tag points to; nil where there is no such tag.
func (r *run) previousImage(ctx context.Context, repository, tag string) (*PreviousImage, error) {
	repo, err := r.openRepository(ctx, repository, nil, true)
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
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("read %s:%s: %w", repository, tag, err)
	}
	found := &PreviousImage{Tag: tag, Digest: digest.String()}
	for _, d := range index.Manifests {
		size, err := downloadSize(ctx, repo, d)
		if err != nil {
			return nil, err
		}
		p := PlatformResult{Digest: d.Digest.String(), Size: size}
		if d.Platform != nil {
			p.Platform.OS, p.Platform.Architecture, p.Platform.Variant = d.Platform.OS, d.Platform.Architecture, d.Platform.Variant
		}
		found.Platforms = append(found.Platforms, p)
	}
	return found, nil
}

// downloadSize is that of an image's manifest, its configuration and its layers, in bytes.
func downloadSize(ctx context.Context, repo *registry.Repository, d v1.Descriptor) (int64, error) {
	raw, _, err := repo.Manifest(ctx, d.Digest)
	if err != nil {
		return 0, err
	}
	var m v1.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return 0, fmt.Errorf("read %s@%s: %w", repo.Name(), d.Digest, err)
	}
	size := int64(len(raw)) + m.Config.Size
	for _, l := range m.Layers {
		size += l.Size
	}
	return size, nil
}
