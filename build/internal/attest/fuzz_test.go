package attest

import (
	"bytes"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
)

// FuzzDocuments looks at what anybody may have attached to an image: nothing of it counts,
// nothing makes us wait, and what is kept of it is small.
func FuzzDocuments(f *testing.F) {
	f.Add([]byte(`{"mediaType":"` + BundleType + `","verificationMaterial":{"publicKey":{"hint":"x"},"tlogEntries":[]},"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AAAA"}]}}`))
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJzdWJqZWN0IjpbeyJkaWdlc3QiOnt9fV19","signatures":[{"sig":"AAAA"}]}`))
	f.Add([]byte(`{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":"sha256:00"},"type":"cosign container image signature"},"optional":null}`))
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"00"}}],"predicateType":"x","predicate":{}}`))
	digest := v1.Hash{Algorithm: "sha256", Hex: string(bytes.Repeat([]byte("a"), 64))}
	trust := Trust{}
	f.Fuzz(func(t *testing.T, document []byte) {
		began := time.Now()
		if b, err := decodeBundle(document); err == nil {
			_, _ = envelopeOf(b)
		}
		_, _ = decodeStatement(document)
		for _, predicateType := range []string{SPDXType, CycloneDXType} {
			_, _ = sbomHashes(predicateType, document)
		}
		_, _ = sources(document)
		img, err := newReferrer(v1.Descriptor{Digest: digest}, document, "x", time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range newFlight().look(t.Context(), []look{
			{int64(len(document)), func() *finding { return bundleFinding(img, digest, trust) }},
			{int64(len(document)), func() *finding { return attestationFinding(t.Context(), oldOf(t, document), digest, trust) }},
			{int64(len(document)), func() *finding { return signatureFinding(t.Context(), oldOf(t, document), digest, trust) }},
		}) {
			if found.ok() {
				t.Errorf("it counts: %+v", found)
			}
			for _, err := range []error{found.damaged, found.foreign, found.misplaced} {
				if err != nil && len(err.Error()) > maxReason+3 {
					t.Errorf("the reason has %d bytes", len(err.Error()))
				}
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// oldOf is a layer of a .att image.
func oldOf(t testing.TB, document []byte) oldLayer {
	t.Helper()
	img, err := appendOld(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	layer := static.NewLayer(document, "text/plain")
	d, err := layer.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return oldLayer{withLayer{img, layer}, v1.Descriptor{Digest: d, Size: int64(len(document)), MediaType: "text/plain"}}
}

// withLayer is an image that has one layer more.
type withLayer struct {
	v1.Image
	layer v1.Layer
}

func (w withLayer) LayerByDigest(v1.Hash) (v1.Layer, error) { return w.layer, nil }
