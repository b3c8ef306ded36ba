package describe

import (
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/purl"
)

// The policy by which a rebuilder verifies an image, and thimble's level for an image whose
// rebuild has the same digest. SLSA allows custom levels if they do not begin with SLSA_.
const (
	ReproducedPolicy = "https://" + kitPath + "/blob/main/docs/reproducibility.md#what-the-attestation-says"
	ReproducedLevel  = "REPRODUCED"
)

// SummaryInput is the outcome of building an image again.
type SummaryInput struct {
	// Verifier is a URI that identifies who built the image again: Builder.ID.
	Verifier string
	Verified time.Time
	// Repository is the image's repository, Digest its digest.
	Repository string
	Digest     v1.Hash
	// Provenance are the digests of the attestations used for the rebuild.
	Provenance []v1.Hash
	Same       bool
}

// VerificationSummary returns a SLSA verification summary (VSA, v1) as canonical JSON: PASSED if
// the image was reproduced.
func VerificationSummary(in SummaryInput) ([]byte, error) {
	if in.Verifier == "" || in.Repository == "" || in.Digest.Hex == "" || in.Verified.IsZero() {
		return nil, errors.New("write the verification summary: " +
			"it needs a verifier, a time, and an image by its digest")
	}
	resource, err := purl.Digest(in.Repository, in.Digest.String())
	if err != nil {
		return nil, fmt.Errorf("write the verification summary: %w", err)
	}
	s := verificationSummary{
		Verifier: reference{in.Verifier}, TimeVerified: in.Verified.UTC().Truncate(time.Second),
		ResourceURI: resource, Policy: descriptor{URI: ReproducedPolicy},
		VerificationResult: "FAILED", VerifiedLevels: []string{"FAILED"}, SLSAVersion: "1.0",
	}
	if in.Same {
		s.VerificationResult, s.VerifiedLevels = "PASSED", []string{ReproducedLevel}
	}
	for _, h := range in.Provenance {
		s.InputAttestations = append(s.InputAttestations,
			descriptor{Digest: map[string]string{h.Algorithm: h.Hex}})
	}
	b, err := predicateJSON(s)
	if err != nil {
		return nil, fmt.Errorf("write the verification summary: %w", err)
	}
	return b, nil
}
