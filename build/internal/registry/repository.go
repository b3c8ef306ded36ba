package registry

import (
	"context"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build/internal/distribution"
)

// Repository is a repository in a registry, after login. It is safe for concurrent use.
type Repository struct {
	client    *distribution.Client
	referrers *referrers

	attaching sync.Mutex
}

// Open logs in to the registry of a repository, such as ghcr.io/acme/api. ctx ends only the
// login. The error says what is wrong with the name, and is a [*distribution.Error] if the
// registry refused.
func Open(ctx context.Context, repository string, o distribution.Options) (*Repository, error) {
	c, err := distribution.Open(ctx, repository, o)
	if err != nil {
		return nil, err
	}
	return &Repository{client: c, referrers: &referrers{client: c}}, nil
}

// Name returns the repository for go-containerregistry's functions.
func (r *Repository) Name() name.Repository { return r.client.Name }

// RemoteOptions let go-containerregistry's functions, and code based on them, read this
// repository with the same login. They are not for writing.
func (r *Repository) RemoteOptions(ctx context.Context) []remote.Option {
	return r.client.RemoteOptions(ctx)
}

// Close closes idle connections.
func (r *Repository) Close() { r.client.Close() }

// Resolve returns the digest of what a tag points to, computed from the received bytes. It is
// zero if there is no such tag.
func (r *Repository) Resolve(ctx context.Context, tag string) (v1.Hash, error) {
	found, err := r.client.Get(ctx, tag)
	if err != nil || found == nil {
		return v1.Hash{}, r.client.Explain(ctx, "resolve", tag, err)
	}
	return found.Digest, nil
}
