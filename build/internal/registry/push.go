package registry

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
)

// Push uploads the index and all that it refers to by digest, children first, and
// points no tag at it. What is there is not uploaded again; what one of
// Options.MountFrom has is mounted from there. Every blob is looked up, also where a
// manifest that names it is there already: registries lose blobs.
func (r *Repository) Push(ctx context.Context, index v1.ImageIndex) error {
	digest, err := index.Digest()
	if err == nil {
		err = r.push(ctx, index)
	}
	return r.explain(ctx, "push", digest.String(), err)
}

func (r *Repository) push(ctx context.Context, index v1.ImageIndex) error {
	blobs := map[v1.Hash]v1.Layer{}
	if err := collect(index, blobs); err != nil {
		return err
	}
	group, uploading := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for digest, blob := range blobs {
		group.Go(func() error {
			if r.mount(uploading, digest) {
				return nil
			}
			return r.upload(uploading, blob)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return r.putAll(ctx, index)
}

// putAll puts the manifests of an index and then its own.
func (r *Repository) putAll(ctx context.Context, index v1.ImageIndex) error {
	children, err := partial.Manifests(index)
	if err != nil {
		return err
	}
	group, putting := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for _, child := range children {
		switch child := child.(type) {
		case v1.ImageIndex:
			err = r.putAll(ctx, child)
		case v1.Image:
			group.Go(func() error { return r.putNew(putting, child) })
		}
	}
	if err = errors.Join(err, group.Wait()); err != nil {
		return err
	}
	return r.putNew(ctx, index)
}

// putNew puts a manifest by its digest if it is not there.
func (r *Repository) putNew(ctx context.Context, m interface {
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
	if there, err := r.hasManifest(ctx, digest, raw); there || err != nil {
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
	return r.putWith(ctx, manifest{raw, mediaType, digest}, blobs)
}

// putWith puts a manifest by its digest. If the registry does not have what the manifest
// names, it looks for the blobs, uploads those that are not there, and puts it again: somebody
// else may be uploading the same blob, or the registry lost it.
func (r *Repository) putWith(ctx context.Context, m manifest, blobs map[v1.Hash]v1.Layer) error {
	pause := r.options.Backoff
	for attempt := 0; ; attempt++ {
		err := r.put(ctx, m.digest.String(), m.raw, m.mediaType)
		if !lacksNamed(err) || attempt == 2 {
			return err
		}
		if err := sleep(ctx, pause.Step()); err != nil {
			return err
		}
		if err := r.uploadAll(ctx, blobs); err != nil {
			return err
		}
	}
}

// uploadAll uploads the blobs that are not there, one after the other.
func (r *Repository) uploadAll(ctx context.Context, blobs map[v1.Hash]v1.Layer) error {
	for _, blob := range blobs {
		if err := r.upload(ctx, blob); err != nil {
			return err
		}
	}
	return nil
}

// upload uploads a blob if it is not there.
func (r *Repository) upload(ctx context.Context, blob v1.Layer) error {
	return remote.WriteLayer(r.name, blob, r.RemoteOptions(ctx)...)
}

// mount mounts a blob that is not there from a candidate that has it and lets us, and
// says whether it did. It is an optional step: what is not mounted is uploaded.
func (r *Repository) mount(ctx context.Context, digest v1.Hash) bool {
	if len(r.mounts) == 0 {
		return false
	}
	ctx, cancel := r.optional(ctx)
	defer cancel()
	if there, err := r.has(ctx, r.name, "blobs", digest); there || err != nil {
		return there
	}
	for _, from := range r.mounts {
		if there, err := r.has(ctx, from, "blobs", digest); !there || err != nil {
			continue
		}
		query := url.Values{"mount": {digest.String()}, "from": {from.RepositoryStr()}}.Encode()
		a, err := r.ask(ctx, request{method: http.MethodPost, url: r.url(r.name, "blobs/uploads", "") + "?" + query,
			codes: []int{http.StatusCreated, http.StatusAccepted}})
		if err != nil {
			continue
		}
		if a.status == http.StatusCreated {
			there, err := r.has(ctx, r.name, "blobs", digest)
			return there && err == nil
		}
		r.giveUp(ctx, a)
	}
	return false
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
