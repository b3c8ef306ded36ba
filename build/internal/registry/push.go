package registry

import (
	"context"
	"errors"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/distribution"
)

// Push uploads the index and everything it refers to by digest, children first, without a tag.
// It does not upload again what exists. It mounts blobs that a repository of
// distribution.Options.MountFrom has. Every blob is looked up, even if a manifest that names it
// exists, because registries can lose blobs.
func (r *Repository) Push(ctx context.Context, index v1.ImageIndex) error {
	digest, err := index.Digest()
	if err == nil {
		err = push(ctx, r.client, index)
	}
	return r.client.Explain(ctx, "push", digest.String(), err)
}

func push(ctx context.Context, c *distribution.Client, index v1.ImageIndex) error {
	blobs := map[v1.Hash]v1.Layer{}
	if err := collect(index, blobs); err != nil {
		return err
	}
	group, uploading := errgroup.WithContext(ctx)
	group.SetLimit(distribution.Jobs)
	for digest, blob := range blobs {
		group.Go(func() error {
			if mount(uploading, c, digest) {
				return nil
			}
			return upload(uploading, c, blob)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return putAll(ctx, c, index)
}

// putAll puts the manifests of an index and then the index.
func putAll(ctx context.Context, c *distribution.Client, index v1.ImageIndex) error {
	children, err := partial.Manifests(index)
	if err != nil {
		return err
	}
	group, putting := errgroup.WithContext(ctx)
	group.SetLimit(distribution.Jobs)
	for _, child := range children {
		switch child := child.(type) {
		case v1.ImageIndex:
			err = putAll(ctx, c, child)
		case v1.Image:
			group.Go(func() error { return putNew(putting, c, child) })
		}
	}
	if err = errors.Join(err, group.Wait()); err != nil {
		return err
	}
	return putNew(ctx, c, index)
}

// putNew puts a manifest by digest if it does not exist.
func putNew(ctx context.Context, c *distribution.Client, m interface {
	Digest() (v1.Hash, error)
	MediaType() (types.MediaType, error)
	RawManifest() ([]byte, error)
}) error {
	digest, err := m.Digest()
	if err != nil {
		return err
	}
	raw, err := m.RawManifest()
	if err != nil {
		return err
	}
	if there, err := c.HasManifest(ctx, digest, raw); there || err != nil {
		return err
	}
	mediaType, err := m.MediaType()
	if err != nil {
		return err
	}
	blobs := map[v1.Hash]v1.Layer{}
	if image, ok := m.(v1.Image); ok {
		if err := collectImage(image, blobs); err != nil {
			return err
		}
	}
	return putWith(ctx, c, distribution.Manifest{Raw: raw, MediaType: mediaType, Digest: digest}, blobs)
}

// collect finds the blobs of an index: layers and configurations.
func collect(index v1.ImageIndex, blobs map[v1.Hash]v1.Layer) error {
	children, err := partial.Manifests(index)
	if err != nil {
		return err
	}
	for _, child := range children {
		switch child := child.(type) {
		case v1.ImageIndex:
			err = collect(child, blobs)
		case v1.Image:
			err = collectImage(child, blobs)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
