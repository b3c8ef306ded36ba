package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// BundleType is the artifact type of a referrer that contains a Sigstore bundle, and the media
// type of its layer.
const BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

const emptyConfigType types.MediaType = "application/vnd.oci.empty.v1+json"

// decodeBundle reads a bundle of anybody.
func decodeBundle(b []byte) (Bundle, error) {
	if err := Linked(); err != nil {
		return nil, err
	}
	if err := limit.Parts(b, maxParts); err != nil {
		return nil, fmt.Errorf("decode bundle: %w", err)
	}
	out, err := sigstore.ParseBundle(b)
	if err != nil {
		return nil, fmt.Errorf("decode bundle: %w", err)
	}
	return out, nil
}

// referrer is an OCI 1.1 artifact manifest with one layer.
type referrer struct {
	manifest []byte
	layer    v1.Layer
}

func (r *referrer) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (r *referrer) RawManifest() ([]byte, error)        { return r.manifest, nil }
func (r *referrer) RawConfigFile() ([]byte, error)      { return []byte("{}"), nil }

func (r *referrer) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	digest, err := r.layer.Digest()
	if err != nil {
		return nil, err
	}
	if h != digest {
		return nil, fmt.Errorf("no layer %s", h)
	}
	return r.layer, nil
}

// newReferrer returns the manifest that links a bundle to its subject, as cosign writes it.
// Only the time, created, is set by the caller.
func newReferrer(subject v1.Descriptor, bundleJSON []byte, predicateType string,
	created time.Time) (v1.Image, error) {
	layer := static.NewLayer(bundleJSON, BundleType)
	layerDesc, err := partial.Descriptor(layer)
	if err != nil {
		return nil, err
	}
	config, err := partial.Descriptor(static.NewLayer([]byte("{}"), emptyConfigType))
	if err != nil {
		return nil, err
	}
	config.ArtifactType = BundleType
	manifest, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  BundleType,
		Config:        *config,
		Layers:        []v1.Descriptor{*layerDesc},
		Subject: &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest,
			Size: subject.Size},
		Annotations: map[string]string{
			"org.opencontainers.image.created":  created.UTC().Format(time.RFC3339),
			"dev.sigstore.bundle.content":       "dsse-envelope",
			"dev.sigstore.bundle.predicateType": predicateType,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encode referrer: %w", err)
	}
	return partial.CompressedToImage(&referrer{manifest, layer})
}

// readReferrer returns the bundle in a referrer.
func readReferrer(img v1.Image) (Bundle, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("read referrer: %w", err)
	}
	if len(layers) != 1 {
		return nil, fmt.Errorf("read referrer: it has %d layers, but a bundle has one", len(layers))
	}
	b, err := readLayer(layers[0])
	if err != nil {
		return nil, err
	}
	return decodeBundle(b)
}

// envelopeOf returns the statement in the DSSE envelope of a bundle, unverified.
func envelopeOf(b Bundle) (*inToto, error) {
	is, payload, ok := b.Envelope()
	switch {
	case !ok:
		return nil, errors.New("the bundle contains no DSSE envelope, so it says nothing about an image")
	case is != PayloadType:
		return nil, fmt.Errorf("the envelope contains %q, not an in-toto statement", is)
	}
	return decodeStatement(payload)
}
