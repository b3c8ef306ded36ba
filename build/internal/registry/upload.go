package registry

import (
	"context"
	"net/http"
	"net/url"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build/internal/distribution"
)

// putWith puts a manifest by digest. If the registry lacks what the manifest names, it looks up
// the blobs, uploads the missing ones, and puts the manifest again. Another client may be
// uploading the same blob, or the registry may have lost it.
func putWith(ctx context.Context, c *distribution.Client, m distribution.Manifest,
	blobs map[v1.Hash]v1.Layer) error {
	pause := c.Options.Backoff
	for attempt := 0; ; attempt++ {
		err := c.Put(ctx, m.Digest.String(), m.Raw, m.MediaType)
		if !distribution.LacksNamed(err) || attempt == 2 {
			return err
		}
		if err := distribution.Sleep(ctx, pause.Step()); err != nil {
			return err
		}
		if err := uploadAll(ctx, c, blobs); err != nil {
			return err
		}
	}
}

// uploadAll uploads the missing blobs, one after the other.
func uploadAll(ctx context.Context, c *distribution.Client, blobs map[v1.Hash]v1.Layer) error {
	for _, blob := range blobs {
		if err := upload(ctx, c, blob); err != nil {
			return err
		}
	}
	return nil
}

// upload uploads a blob if it is missing.
func upload(ctx context.Context, c *distribution.Client, blob v1.Layer) error {
	return remote.WriteLayer(c.Name, blob, c.RemoteOptions(ctx)...)
}

// mount mounts a missing blob from a candidate repository that has it and allows it, and
// reports whether it did. It is an optional step: a blob that is not mounted is uploaded.
func mount(ctx context.Context, c *distribution.Client, digest v1.Hash) bool {
	if len(c.Mounts) == 0 {
		return false
	}
	ctx, cancel := c.OptionalStep(ctx)
	defer cancel()
	if there, err := c.Has(ctx, c.Name, "blobs", digest); there || err != nil {
		return there
	}
	for _, from := range c.Mounts {
		if there, err := c.Has(ctx, from, "blobs", digest); !there || err != nil {
			continue
		}
		query := url.Values{"mount": {digest.String()}, "from": {from.RepositoryStr()}}.Encode()
		a, err := c.Ask(ctx, distribution.Request{Method: http.MethodPost,
			URL:   distribution.URL(c.Name, "blobs/uploads", "") + "?" + query,
			Codes: []int{http.StatusCreated, http.StatusAccepted}})
		if err != nil {
			continue
		}
		if a.Status == http.StatusCreated {
			there, err := c.Has(ctx, c.Name, "blobs", digest)
			return there && err == nil
		}
		giveUp(ctx, c, a)
	}
	return false
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

// giveUp cancels a started upload. It is an optional step: if the registry does not support
// this, the upload expires.
func giveUp(ctx context.Context, c *distribution.Client, started distribution.Answer) {
	location, err := started.URL.Parse(started.Header.Get("Location"))
	if err != nil || location.Host != started.URL.Host {
		return
	}
	ctx, cancel := c.OptionalStep(ctx)
	defer cancel()
	_, _ = c.Ask(ctx, distribution.Request{Method: http.MethodDelete, URL: location.String()})
}
