package attest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	cbundle "github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci"
	"github.com/sigstore/cosign/v2/pkg/oci/empty"
	"github.com/sigstore/cosign/v2/pkg/oci/signature"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	ctypes "github.com/sigstore/cosign/v2/pkg/types"
)

// SignatureTag and AttestationTag are the tags of the old form for a digest:
// sha256-<hex>.sig and sha256-<hex>.att.
func SignatureTag(digest v1.Hash) string   { return digest.Algorithm + "-" + digest.Hex + ".sig" }
func AttestationTag(digest v1.Hash) string { return digest.Algorithm + "-" + digest.Hex + ".att" }

// simpleSigning is what a .sig layer holds and signs: which digest, under which name.
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

// oldEnvelope is the layer of an .att image for a bundle with an envelope. The signature
// is the same; and so are, to the byte, the envelope and what sigstore-go sends to a
// Rekor log of version 1, which records the envelope's hash.
func oldEnvelope(b *protobundle.Bundle) ([]byte, error) {
	j, err := json.Marshal(b.GetDsseEnvelope())
	if err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	return j, nil
}

// oldAttestation makes a layer of an .att image. The timestamp in the bundle is of the
// signature, and the old form's, stamp, is of the whole envelope.
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

// oldOptions carries a signature's certificate and log entry over to the old form.
// It has no place for an entry of a Rekor log of version 2.
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

// appendOld adds layers to a .sig or .att image; stored may be nil.
func appendOld(stored v1.Image, add []oci.Signature) (v1.Image, error) {
	if stored == nil {
		stored = empty.Signatures()
	}
	var layers []mutate.Addendum
	for _, s := range add {
		annotations, err := s.Annotations()
		if err != nil {
			return nil, err
		}
		mediaType, err := s.MediaType()
		if err != nil {
			return nil, err
		}
		layers = append(layers, mutate.Addendum{Layer: s, Annotations: annotations, MediaType: mediaType})
	}
	return mutate.Append(stored, layers...)
}

// readOld gives the layers of a .sig or .att image of the wanted kind; the image may be
// nil.
func readOld(img v1.Image, mediaType types.MediaType) ([]oci.Signature, error) {
	if img == nil {
		return nil, nil
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var out []oci.Signature
	for _, d := range m.Layers {
		if d.MediaType != mediaType {
			continue
		}
		layer, err := img.LayerByDigest(d.Digest)
		if err != nil {
			return nil, fmt.Errorf("read layer %s: %w", d.Digest, err)
		}
		out = append(out, signature.New(layer, d))
	}
	return out, nil
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
