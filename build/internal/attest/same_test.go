package attest

import (
	"encoding/json"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/sigstore/cosign/v2/pkg/oci/empty"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	ctypes "github.com/sigstore/cosign/v2/pkg/types"
)

// What this package writes without cosign's libraries is what they write.
func TestSameAsCosign(t *testing.T) {
	for _, c := range [][2]string{
		{string(simpleSigningType), ctypes.SimpleSigningMediaType},
		{string(envelopeType), ctypes.DssePayloadType},
		{signatureAnnotation, static.SignatureAnnotationKey},
		{claimType, payload.CosignSignatureType},
	} {
		if c[0] != c[1] {
			t.Errorf("%q is %q in cosign", c[0], c[1])
		}
	}
	digest := v1.Hash{Algorithm: "sha256", Hex: "00"}
	ours, err := simpleSigning("ghcr.io/acme/<api>", digest)
	if err != nil {
		t.Fatal(err)
	}
	cosigns, err := json.Marshal(payload.SimpleContainerImage{Critical: payload.Critical{
		Identity: payload.Identity{DockerReference: "ghcr.io/acme/<api>"},
		Image:    payload.Image{DockerManifestDigest: digest.String()}, Type: payload.CosignSignatureType,
	}})
	if err != nil || string(ours) != string(cosigns) {
		t.Errorf("the claim is %s, cosign's %s (%v)", ours, cosigns, err)
	}
	a, errA := noLayers().RawManifest()
	b, errB := empty.Signatures().RawManifest()
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("without layers: %s, cosign's %s (%v, %v)", a, b, errA, errB)
	}
	if m, err := noLayers().MediaType(); err != nil || m != types.OCIManifestSchema1 {
		t.Errorf("its media type is %s (%v)", m, err)
	}
}
