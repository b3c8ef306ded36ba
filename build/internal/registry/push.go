package registry

import (
	"context"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

// Push uploads the index and all that it refers to by digest, children first, and
// points no tag at it. What is there is not uploaded again; what one of
// Options.MountFrom has is mounted from there.
func (r *Repository) Push(ctx context.Context, index v1.ImageIndex) error {
	digest, err := index.Digest()
	if err != nil {
		return r.explain(ctx, "push", "", err)
	}
	if len(r.mounts) > 0 {
		err = r.mountAll(ctx, index, digest)
	}
	if err == nil {
		err = r.pusher.Push(ctx, r.name.Digest(digest.String()), index)
	}
	return r.explain(ctx, "push", digest.String(), err)
}

// mountAll brings those blobs of an index that a mount candidate has. The pusher
// remembers them and does not look again.
func (r *Repository) mountAll(ctx context.Context, index v1.ImageIndex, digest v1.Hash) error {
	if there, err := r.has(ctx, r.name, "manifests", digest); there || err != nil {
		return err
	}
	blobs := map[v1.Hash]v1.Layer{}
	if err := collect(index, blobs); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for digest, blob := range blobs {
		group.Go(func() error {
			there, err := r.has(ctx, r.name, "blobs", digest)
			for i := 0; i < len(r.mounts) && err == nil && !there; i++ {
				there, err = r.mount(ctx, r.mounts[i], digest, blob)
			}
			return err
		})
	}
	return group.Wait()
}

// mount mounts a blob if the candidate has it and lets us. The pusher uploads it if
// the registry has changed its mind.
func (r *Repository) mount(ctx context.Context, from name.Repository, digest v1.Hash, blob v1.Layer) (bool, error) {
	there, err := r.has(ctx, from, "blobs", digest, http.StatusUnauthorized, http.StatusForbidden)
	if err != nil || !there {
		return false, err
	}
	return true, r.pusher.Upload(ctx, r.name, &remote.MountableLayer{Layer: blob, Reference: from.Digest(digest.String())})
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

func collectImage(image v1.Image, blobs map[v1.Hash]v1.Layer) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	config, err := partial.ConfigLayer(image)
	if err != nil {
		return err
	}
	for _, layer := range append(layers, config) {
		mediaType, err := layer.MediaType()
		if err != nil {
			return err
		}
		if !mediaType.IsDistributable() {
			continue
		}
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		blobs[digest] = layer
	}
	return nil
}
