package describe

import (
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	vsa "github.com/in-toto/attestation/go/predicates/vsa/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

func TestVerificationSummary(t *testing.T) {
	digest := func(c string) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: strings.Repeat(c, 64)} }
	in := SummaryInput{
		Verifier: "https://ci.example.com/acme", Verified: time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)),
		Repository: "registry.example.com/acme/api", Digest: digest("a"), Provenance: []v1.Hash{digest("b"), digest("c")},
	}
	for _, tt := range []struct {
		same         bool
		result, lvl  string
		attestations []v1.Hash
	}{
		{true, "PASSED", ReproducedLevel, in.Provenance},
		{false, "FAILED", "FAILED", nil},
	} {
		in.Same, in.Provenance = tt.same, tt.attestations
		attestations := ""
		if tt.attestations != nil {
			attestations = `"inputAttestations":[{"digest":{"sha256":"` + digest("b").Hex + `"}},{"digest":{"sha256":"` + digest("c").Hex + `"}}],`
		}
		want := `{` + attestations + `"policy":{"uri":"` + ReproducedPolicy + `"},` +
			`"resourceUri":"pkg:oci/api@sha256:` + digest("a").Hex + `?repository_url=registry.example.com%2Facme%2Fapi",` +
			`"slsaVersion":"1.0","timeVerified":"2026-01-02T02:04:05Z","verificationResult":"` + tt.result + `",` +
			`"verifiedLevels":["` + tt.lvl + `"],"verifier":{"id":"https://ci.example.com/acme"}}`
		got, err := VerificationSummary(in)
		if err != nil || string(got) != want {
			t.Errorf("got %s\nwant %s\n%v", got, want, err)
		}
		// The framework's own type has all of these fields.
		if err := protojson.Unmarshal(got, &vsa.VerificationSummary{}); err != nil {
			t.Error(err)
		}
	}
	for _, change := range []func(*SummaryInput){
		func(in *SummaryInput) { in.Verifier = "" },
		func(in *SummaryInput) { in.Verified = time.Time{} },
		func(in *SummaryInput) { in.Digest = v1.Hash{} },
		func(in *SummaryInput) { in.Repository = "" },
	} {
		in := in
		change(&in)
		if b, err := VerificationSummary(in); err == nil {
			t.Errorf("wrote %s", b)
		}
	}
}
