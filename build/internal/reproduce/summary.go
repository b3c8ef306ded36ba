package reproduce

import (
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/describe"
	"github.com/thimble-build/thimble/build/internal/session"
)

// summaries returns the image, and that of each platform, with a statement to sign about each:
// whether it was reproduced, and from which provenance.
func (i *Image) summaries(s *session.Session, p *Provenance,
	report *compare.Report) ([]attest.Subject, error) {
	var subjects []attest.Subject
	for _, m := range append([]attest.Manifest{i.Evidence.Root}, i.Evidence.Children...) {
		summary, err := describe.VerificationSummary(describe.SummaryInput{
			Verifier: describe.DetectBuilder(func(name string) string {
				v,
					_ := s.LookupEnv(name)
				return v
			}).ID,
			Verified: time.Now(), Repository: i.Evidence.Name, Digest: m.Descriptor.Digest,
			Provenance: p.Inputs,
			Same:       reproduced(report, m.Descriptor.Digest),
		})
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, attest.Subject{
			Name: i.Evidence.Name, Descriptor: m.Descriptor, AttestOnly: true, Stored: m.Stored,
			Statements: []attest.Statement{{PredicateType: attest.SummaryType, Predicate: summary}},
		})
	}
	return subjects, nil
}

// reproduced reports whether a digest was reproduced.
func reproduced(report *compare.Report, digest v1.Hash) bool {
	for _, d := range report.Compared {
		if d.A == digest.String() {
			return d.A == d.B
		}
	}
	return false
}
