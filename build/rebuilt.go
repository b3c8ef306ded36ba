package build

import (
	"context"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/describe"
)

// openAttester opens the rebuilder's own key or identity: whoever has none hears of it
// before anything is built.
func (r *rebuild) openAttester(ctx context.Context) error {
	r.attester = &release{run: r.run}
	return r.attester.useSigner(ctx)
}

// attest signs the outcome for the image, and for that of each platform, and attaches
// it. What is there already is not made again.
func (r *rebuild) attest(ctx context.Context, c *Comparison) (made int, err error) {
	err = r.stage("attest", func() (string, error) {
		name := r.repo.Name().Name()
		var subjects []attest.Subject
		for _, m := range append([]attest.Manifest{r.material.Root}, r.material.Children...) {
			predicate, err := describe.VerificationSummary(describe.SummaryInput{
				Verifier: describe.Builder(func(name string) string { v, _ := r.lookupEnv(name); return v }).ID,
				Verified: time.Now(), Repository: name, Digest: m.Descriptor.Digest, Provenance: r.inputs,
				Same: reproduced(c, m.Descriptor.Digest),
			})
			if err != nil {
				return "", err
			}
			subjects = append(subjects, attest.Subject{
				Name: name, Descriptor: m.Descriptor, AttestOnly: true, Stored: m.Stored,
				Statements: []attest.Statement{{PredicateType: attest.SummaryType, Predicate: predicate}},
			})
		}
		signed, err := attest.Sign(ctx, r.attester.signer, subjects, r.attester.signOptions(r.found.Plan.Created()))
		if err != nil {
			return "", err
		}
		list, n, err := artifacts(subjects, signed)
		if err != nil {
			return "", err
		}
		if n == 0 {
			return "up to date", nil
		}
		repo, err := r.openRepository(ctx, name, nil, false)
		if err != nil {
			return "", err
		}
		defer repo.Close()
		made = n
		return count(n, "attestation"), repo.Attach(ctx, list)
	})
	return made, err
}

// reproduced says whether a digest came out again.
func reproduced(c *Comparison, digest v1.Hash) bool {
	for _, d := range c.Compared {
		if d.A == digest.String() {
			return d.A == d.B
		}
	}
	return false
}
