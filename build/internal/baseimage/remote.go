package baseimage

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/registry"
)

// remote is a repository of a registry.
type remote struct {
	repo *registry.Repository
	ref  Reference
}

func (r *remote) close() { r.repo.Close() }

func (r *remote) root(ctx context.Context) ([]byte, types.MediaType, error) {
	digest := r.ref.Digest
	if r.ref.Tag != "" {
		var err error
		if digest, err = r.repo.Resolve(ctx, r.ref.Tag); err != nil {
			return nil, "", err
		}
		if digest.Hex == "" {
			return nil, "", fmt.Errorf("%s has no tag %s", r.ref.Repository, r.ref.Tag)
		}
	}
	raw, d, err := r.repo.Manifest(ctx, digest)
	return raw, d.MediaType, err
}

func (r *remote) manifest(ctx context.Context, digest v1.Hash) ([]byte, error) {
	raw, _, err := r.repo.Manifest(ctx, digest)
	return raw, err
}

func (r *remote) blob(ctx context.Context, digest v1.Hash, to cache.Sink) error {
	return r.repo.Blob(ctx, digest, to)
}
