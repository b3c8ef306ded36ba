package sigstore

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"

	cbundle "github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	ctypes "github.com/sigstore/cosign/v2/pkg/types"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// OldSignature returns the layer of a .sig image for a signed message.
func (d document) OldSignature(message []byte) (attest.OldLayer, error) {
	b := d.proto
	o := oldOptions(b)
	if stamps := b.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps(); len(
		stamps) > 0 {
		o = append(o, static.WithRFC3161Timestamp(
			&cbundle.RFC3161Timestamp{SignedRFC3161Timestamp: stamps[0].GetSignedTimestamp()}))
	}
	return layerOf(static.NewSignature(message,
		base64.StdEncoding.EncodeToString(b.GetMessageSignature().GetSignature()), o...))
}

// OldEnvelope returns the content of the layer of an .att image for a bundle with an envelope. The signature
// is the same. The envelope has the same bytes as the one that sigstore-go sends to a Rekor log
// of version 1, which records the envelope's hash.
func (d document) OldEnvelope() ([]byte, error) {
	j, err := json.Marshal(d.proto.GetDsseEnvelope())
	if err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	return j, nil
}

// OldAttestation returns the layer of an .att image. The timestamp in the bundle is of the
// signature; that of the old form, stamp, is of the whole envelope.
func (d document) OldAttestation(predicateType string, stamp []byte) (attest.OldLayer, error) {
	envelope, err := d.OldEnvelope()
	if err != nil {
		return attest.OldLayer{}, err
	}
	o := []static.Option{
		static.WithLayerMediaType(ctypes.DssePayloadType),
		static.WithAnnotations(map[string]string{"predicateType": predicateType}),
	}
	o = append(o, oldOptions(d.proto)...)
	if stamp != nil {
		o = append(o, static.WithRFC3161Timestamp(&cbundle.RFC3161Timestamp{SignedRFC3161Timestamp: stamp}))
	}
	return layerOf(static.NewAttestation(envelope, o...))
}

// oldOptions converts a signature's certificate and log entry to the old form, which cannot
// contain an entry of a Rekor log of version 2.
func oldOptions(b *protobundle.Bundle) []static.Option {
	var o []static.Option
	material := b.GetVerificationMaterial()
	if cert := material.GetCertificate(); cert != nil {
		o = append(o, static.WithCertChain(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
			Bytes: cert.GetRawBytes()}), nil))
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

// layerOf returns a layer of cosign's as plain values.
func layerOf(s oci.Signature, err error) (out attest.OldLayer, _ error) {
	if err != nil {
		return out, err
	}
	if out.Content, err = s.Payload(); err != nil {
		return out, err
	}
	mediaType, err := s.MediaType()
	if err != nil {
		return out, err
	}
	out.MediaType = string(mediaType)
	out.Annotations, err = s.Annotations()
	return out, err
}
