package attest

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// SignatureTag and AttestationTag return the tags of the old form for a digest:
// sha256-<hex>.sig and sha256-<hex>.att.
func SignatureTag(digest v1.Hash) string   { return digest.Algorithm + "-" + digest.Hex + ".sig" }
func AttestationTag(digest v1.Hash) string { return digest.Algorithm + "-" + digest.Hex + ".att" }

// What cosign's libraries call SimpleSigningMediaType, DssePayloadType, SignatureAnnotationKey and
// CosignSignatureType.
const (
	simpleSigningType   types.MediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	envelopeType        types.MediaType = "application/vnd.dsse.envelope.v1+json"
	signatureAnnotation                 = "dev.cosignproject.cosign/signature"
	claimType                           = "cosign container image signature"
)

// claim is the signed content of a .sig layer, in the form of
// github.com/containers/image/docs/containers-signature.5.md.
type claim struct {
	Critical struct {
		Identity struct {
			DockerReference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			DockerManifestDigest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]any `json:"optional"`
}

// simpleSigning returns the signed content of a .sig layer: a digest and a name.
func simpleSigning(name string, digest v1.Hash) ([]byte, error) {
	var c claim
	c.Critical.Identity.DockerReference = name
	c.Critical.Image.DockerManifestDigest = digest.String()
	c.Critical.Type = claimType
	return json.Marshal(c)
}

// with adds layers to the image at a tag. It returns an error if the tag points to something
// else.
func (s Stored) with(tag string, stored v1.Image, add []OldLayer) (v1.Image, error) {
	for _, i := range s.Ignored {
		if i.Source == tag {
			return nil, fmt.Errorf(
				"the tag %s points to something else (%s); remove the tag if nobody needs it, or leave out "+
					"this form with Config.Release.Forms", tag, i.Reason)
		}
	}
	if stored != nil && s.looked != nil {
		// Registries refuse an image that names a layer which they have lost.
		lost := func(d v1.Descriptor) bool {
			return slices.ContainsFunc(s.looked.findings,
				func(f *finding) bool { return f.gone && f.source == tag && f.document == d.Digest })
		}
		m, err := stored.Manifest()
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		if slices.ContainsFunc(m.Layers, lost) {
			if stored, err = withoutLayers(stored, lost); err != nil {
				return nil, err
			}
		}
	}
	return appendOld(stored, add)
}

// appendOld adds layers to a .sig or .att image; stored may be nil. A layer that was made again
// because the registry lost it is not listed twice.
func appendOld(stored v1.Image, add []OldLayer) (v1.Image, error) {
	if stored == nil {
		stored = noLayers()
	}
	m, err := stored.Manifest()
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var layers []mutate.Addendum
	for _, s := range add {
		digest := sha256Of(s.Content)
		// The layers of a .sig image have the same payload, and differ in their signatures.
		same := func(d v1.Descriptor) bool {
			return d.Digest == digest &&
				d.Annotations[signatureAnnotation] == s.Annotations[signatureAnnotation]
		}
		if slices.ContainsFunc(m.Layers, same) {
			if stored, err = withoutLayers(stored, same); err != nil {
				return nil, err
			}
		}
		mediaType := types.MediaType(s.MediaType)
		layers = append(layers, mutate.Addendum{Layer: static.NewLayer(s.Content, mediaType),
			Annotations: s.Annotations, MediaType: mediaType})
	}
	return mutate.Append(stored, layers...)
}

// noLayers returns a .sig or .att image without layers.
func noLayers() v1.Image {
	return mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		types.OCIConfigJSON)
}

// withoutLayers returns a .sig or .att image without some of its layers.
func withoutLayers(img v1.Image, drop func(v1.Descriptor) bool) (v1.Image, error) {
	m, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var left []mutate.Addendum
	for _, d := range m.Layers {
		if drop(d) {
			continue
		}
		layer, err := img.LayerByDigest(d.Digest)
		if err != nil {
			return nil, fmt.Errorf("read layer %s: %w", d.Digest, err)
		}
		left = append(left, mutate.Addendum{Layer: layer, Annotations: d.Annotations, MediaType: d.MediaType})
	}
	return mutate.Append(noLayers(), left...)
}

// oldLayer is a layer of a .sig or .att image that was not read yet.
type oldLayer struct {
	image      v1.Image
	descriptor v1.Descriptor
}

// size returns the size in the manifest, in bytes.
func (l oldLayer) size() int64 { return l.descriptor.Size }

// read reads the layer, once.
func (l oldLayer) read() ([]byte, error) {
	layer, err := l.image.LayerByDigest(l.descriptor.Digest)
	if err != nil {
		return nil, fmt.Errorf("read layer %s: %w", l.descriptor.Digest, err)
	}
	b, err := readLayer(layer)
	if err == nil {
		err = limit.Parts(b, maxParts)
	}
	return b, err
}

// readOld returns the layers of a .sig or .att image with the wanted media type, and an error
// for each of the others; the image may be nil.
func readOld(img v1.Image, mediaType types.MediaType) (wanted []oldLayer, others []error, err error) {
	if img == nil {
		return nil, nil, nil
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, nil, fmt.Errorf("read manifest: %w", err)
	}
	for _, d := range m.Layers {
		if d.MediaType != mediaType {
			others = append(others, fmt.Errorf("layer %s has the media type %q, not %s", d.Digest,
				d.MediaType, mediaType))
			continue
		}
		wanted = append(wanted, oldLayer{img, d})
	}
	return wanted, others, nil
}

// readLayer reads a small layer as it is stored, and compares it with its digest.
func readLayer(l v1.Layer) ([]byte, error) {
	want, err := l.Digest()
	if err != nil {
		return nil, fmt.Errorf("read layer: %w", err)
	}
	r, err := l.Compressed()
	if err != nil {
		return nil, fmt.Errorf("read layer %s: %w", want, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxBundle+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read layer %s: %w", want, err)
	case len(b) > maxBundle:
		return nil, fmt.Errorf("read layer %s: it is larger than %d MiB", want, maxBundle>>20)
	}
	if got := sha256Of(b); got != want {
		return nil, fmt.Errorf("read layer %s: its content is %s", want, got)
	}
	return b, nil
}
