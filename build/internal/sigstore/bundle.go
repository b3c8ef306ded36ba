package sigstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// document is a bundle that was made here. It is verified only after it was read back.
type document struct{ proto *protobundle.Bundle }

// JSON returns a bundle's JSON. protojson varies its white space on purpose.
func (d document) JSON() ([]byte, error) {
	loose, err := protojson.Marshal(d.proto)
	if err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, loose); err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	return out.Bytes(), nil
}

func (d document) Envelope() (payloadType string, payload []byte, ok bool) {
	env := d.proto.GetDsseEnvelope()
	return env.GetPayloadType(), env.GetPayload(), env != nil
}

func (d document) IsMessage() bool { return d.proto.GetMessageSignature() != nil }

func (d document) Signer(attest.Trust, []byte) (string, error) {
	return "", errors.New("it was not read")
}

// parsed is a bundle that was read.
type parsed struct {
	document
	read *bundle.Bundle
}

// ParseBundle reads a bundle.
func (Library) ParseBundle(b []byte) (attest.Bundle, error) {
	var out bundle.Bundle
	if err := out.UnmarshalJSON(b); err != nil {
		return nil, err
	}
	return parsed{document{out.Bundle}, &out}, nil
}

// Signer verifies the signature. A statement is not parsed, because the caller has read it.
func (p parsed) Signer(t attest.Trust, blob []byte) (string, error) {
	if p.IsMessage() {
		return trusting(t).bundleSigner(p.read,
			func() verify.ArtifactPolicyOption { return verify.WithArtifact(bytes.NewReader(blob)) })
	}
	return trusting(t).bundleSigner(unparsed{p.read}, verify.WithoutArtifactUnsafe)
}
