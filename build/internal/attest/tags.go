package attest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	gcrstatic "github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	cbundle "github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci"
	"github.com/sigstore/cosign/v2/pkg/oci/empty"
	"github.com/sigstore/cosign/v2/pkg/oci/signature"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	ctypes "github.com/sigstore/cosign/v2/pkg/types"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// SignatureTag and AttestationTag return the tags of the old form for a digest:
// sha256-<hex>.sig and sha256-<hex>.att.
func SignatureTag(digest v1.Hash) string   { return digest.Algorithm + "-" + digest.Hex + ".sig" }
func AttestationTag(digest v1.Hash) string { return digest.Algorithm + "-" + digest.Hex + ".att" }

// simpleSigning returns the signed content of a .sig layer: a digest and a name.
func simpleSigning(name string, digest v1.Hash) ([]byte, error) {
	return json.Marshal(payload.SimpleContainerImage{Critical: payload.Critical{
		Identity: payload.Identity{DockerReference: name},
		Image:    payload.Image{DockerManifestDigest: digest.String()},
		Type:     payload.CosignSignatureType,
	}})
}

// oldSignature turns a signed message into a layer of a .sig image.
func oldSignature(message []byte, b *protobundle.Bundle) (oci.Signature, error) {
	o := oldOptions(b)
	if stamps := b.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps(); len(stamps) > 0 {
		o = append(o, static.WithRFC3161Timestamp(&cbundle.RFC3161Timestamp{SignedRFC3161Timestamp: stamps[0].GetSignedTimestamp()}))
	}
	return static.NewSignature(message, base64.StdEncoding.EncodeToString(b.GetMessageSignature().GetSignature()), o...)
}

// oldEnvelope returns the layer of an .att image for a bundle with an envelope. The signature
// is the same. The envelope has the same bytes as the one that sigstore-go sends to a Rekor log
// of version 1, which records the envelope's hash.
func oldEnvelope(b *protobundle.Bundle) ([]byte, error) {
	j, err := json.Marshal(b.GetDsseEnvelope())
	if err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	return j, nil
}

// oldAttestation makes a layer of an .att image. The timestamp in the bundle is of the
// signature; that of the old form, stamp, is of the whole envelope.
func oldAttestation(predicateType string, b *protobundle.Bundle, stamp []byte) (oci.Signature, error) {
	envelope, err := oldEnvelope(b)
	if err != nil {
		return nil, err
	}
	o := []static.Option{
		static.WithLayerMediaType(ctypes.DssePayloadType),
		static.WithAnnotations(map[string]string{"predicateType": predicateType}),
	}
	o = append(o, oldOptions(b)...)
	if stamp != nil {
		o = append(o, static.WithRFC3161Timestamp(&cbundle.RFC3161Timestamp{SignedRFC3161Timestamp: stamp}))
	}
	return static.NewAttestation(envelope, o...)
}

// oldOptions converts a signature's certificate and log entry to the old form, which cannot
// contain an entry of a Rekor log of version 2.
func oldOptions(b *protobundle.Bundle) []static.Option {
	var o []static.Option
	material := b.GetVerificationMaterial()
	if cert := material.GetCertificate(); cert != nil {
		o = append(o, static.WithCertChain(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.GetRawBytes()}), nil))
	}
	for _, e := range material.GetTlogEntries() {
		if e.GetInclusionPromise() == nil {
			continue
		}
		o = append(o, static.WithBundle(&cbundle.RekorBundle{
			SignedEntryTimestamp: e.GetInclusionPromise().GetSignedEntryTimestamp(),
			Payload: cbundle.RekorPayload{
				Body:           base64.StdEncoding.EncodeToString(e.GetCanonicalizedBody()),
				IntegratedTime: e.GetIntegratedTime(),
				LogIndex:       e.GetLogIndex(),
				LogID:          hex.EncodeToString(e.GetLogId().GetKeyId()),
			},
		}))
		break
	}
	return o
}

// with adds layers to the image at a tag. It returns an error if the tag points to something
// else.
func (s Stored) with(tag string, stored v1.Image, add []oci.Signature) (v1.Image, error) {
	for _, i := range s.Ignored {
		if i.Source == tag {
			return nil, fmt.Errorf("the tag %s points to something else (%s); remove the tag if nobody needs it, or leave out this form with Config.Release.Forms", tag, i.Reason)
		}
	}
	if stored != nil && s.looked != nil {
		// Registries refuse an image that names a layer which they have lost.
		lost := func(d v1.Descriptor) bool {
			return slices.ContainsFunc(s.looked.findings, func(f *finding) bool { return f.gone && f.source == tag && f.document == d.Digest })
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
func appendOld(stored v1.Image, add []oci.Signature) (v1.Image, error) {
	if stored == nil {
		stored = empty.Signatures()
	}
	m, err := stored.Manifest()
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var layers []mutate.Addendum
	for _, s := range add {
		digest, err := s.Digest()
		if err != nil {
			return nil, err
		}
		annotations, err := s.Annotations()
		if err != nil {
			return nil, err
		}
		// The layers of a .sig image have the same payload, and differ in their signatures.
		same := func(d v1.Descriptor) bool {
			return d.Digest == digest && d.Annotations[static.SignatureAnnotationKey] == annotations[static.SignatureAnnotationKey]
		}
		if slices.ContainsFunc(m.Layers, same) {
			if stored, err = withoutLayers(stored, same); err != nil {
				return nil, err
			}
		}
		mediaType, err := s.MediaType()
		if err != nil {
			return nil, err
		}
		layers = append(layers, mutate.Addendum{Layer: s, Annotations: annotations, MediaType: mediaType})
	}
	return mutate.Append(stored, layers...)
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
	return mutate.Append(empty.Signatures(), left...)
}

// oldLayer is a layer of a .sig or .att image that was not read yet.
type oldLayer struct {
	image      v1.Image
	descriptor v1.Descriptor
}

// size returns the size in the manifest, in bytes.
func (l oldLayer) size() int64 { return l.descriptor.Size }

// read reads the layer, once, and returns it in cosign's form.
func (l oldLayer) read() (oci.Signature, []byte, error) {
	layer, err := l.image.LayerByDigest(l.descriptor.Digest)
	if err != nil {
		return nil, nil, fmt.Errorf("read layer %s: %w", l.descriptor.Digest, err)
	}
	b, err := readLayer(layer)
	if err == nil {
		err = limit.Parts(b, maxParts)
	}
	if err != nil {
		return nil, nil, err
	}
	return signature.New(gcrstatic.NewLayer(b, l.descriptor.MediaType), l.descriptor), b, nil
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
			others = append(others, fmt.Errorf("layer %s has the media type %q, not %s", d.Digest, d.MediaType, mediaType))
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
