package registry

import (
	"context"
	"encoding/json"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/ociread"
)

const (
	// MaxDocument is the largest layer of an image of documents, such as a signature or an
	// SBOM's attestation, in bytes.
	MaxDocument = 16 << 20
	// maxReferrer is the largest manifest of a referrer, in bytes: many are kept at once.
	maxReferrer = 64 << 10
)

// Manifest reads a manifest by digest, and verifies all bytes. The error says so if there is
// none.
func (r *Repository) Manifest(ctx context.Context, digest v1.Hash) ([]byte, v1.Descriptor, error) {
	found, err := r.client.Get(ctx, digest.String())
	if err == nil && found == nil {
		err = distribution.ErrNoImage
	}
	if err != nil {
		return nil, v1.Descriptor{}, r.client.Explain(ctx, "read", digest.String(), err)
	}
	return found.Raw, v1.Descriptor{MediaType: found.MediaType, Digest: digest, Size: int64(len(found.Raw))},
		nil
}

// Image reads the manifest of an image of documents, such as signatures, by digest. Its layers,
// of at most [MaxDocument] bytes, are read on demand, each time again, and every byte is
// verified; ctx ends that too.
func (r *Repository) Image(ctx context.Context, digest v1.Hash) (v1.Image, error) {
	found, err := r.client.Get(ctx, digest.String())
	if err == nil && found == nil {
		err = distribution.ErrNoImage
	}
	if err != nil {
		return nil, r.client.Explain(ctx, "read", digest.String(), err)
	}
	img, err := r.documents(ctx, found)
	return img, r.client.Explain(ctx, "read", digest.String(), err)
}

// Referrer reads a referrer like Image. It returns nil if the manifest has another artifact
// type, because then it is from another tool and can have any size. It also returns nil if a
// list names a manifest that was removed from the registry.
func (r *Repository) Referrer(ctx context.Context, digest v1.Hash, artifactType string) (v1.Image, error) {
	found, err := r.client.Get(ctx, digest.String())
	if err != nil || found == nil {
		return nil, r.client.Explain(ctx, "read", digest.String(), err)
	}
	var is struct {
		ArtifactType string `json:"artifactType"`
	}
	if json.Unmarshal(found.Raw, &is) != nil || is.ArtifactType != artifactType {
		return nil, nil
	}
	if len(found.Raw) > maxReferrer {
		return nil, r.client.Explain(ctx, "read", digest.String(),
			distribution.Problemf("its manifest is larger than %d KiB", maxReferrer>>10))
	}
	img, err := r.documents(ctx, found)
	return img, r.client.Explain(ctx, "read", digest.String(), err)
}

func (r *Repository) documents(ctx context.Context, found *distribution.Manifest) (v1.Image, error) {
	img, err := ociread.Image(ctx, r, found.Raw, found.MediaType, MaxDocument)
	if err != nil || found.MediaType.IsIndex() {
		return nil, distribution.Problemf("it is not an image") // the parser quotes what it read
	}
	m, err := img.Manifest()
	if err != nil || slices.ContainsFunc(slices.Concat(m.Layers, []v1.Descriptor{m.Config}),
		func(d v1.Descriptor) bool { return d.Digest.Hex == "" }) {
		return nil, distribution.Problemf("it is not an image: its configuration or a layer has no digest")
	}
	return img, nil
}
