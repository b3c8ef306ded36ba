package reproduce

import (
	"context"
	"fmt"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/report"
)

// Released is an image with verified provenance.
type Released struct {
	*Image
	Provenance *Provenance
	Trust      attest.Trust
}

// FindReleased reads an image's manifests and its provenance. It verifies that the image, with its
// signatures, is as a trusted signer released it. source is the repository that the provenance must
// name; any if empty.
func FindReleased(ctx context.Context, s *session.Session, ref string, want signing.Expectation,
	source string) (
	out Released, err error,
) {
	err = s.Stage("verify the provenance", func() (string, error) {
		if out.Trust, err = signing.Expected(s, want); err != nil {
			return "", err
		}
		if out.Image, err = findImage(ctx, s, ref); err != nil {
			return "", err
		}
		if out.Provenance, err = verifiedProvenance(ctx, out.Image, out.Trust, source); err != nil {
			out.Close()
			return "", err
		}
		return "by " + out.Provenance.Signer, nil
	})
	return out, err
}

func verifiedProvenance(ctx context.Context, image *Image, trust attest.Trust,
	source string) (*Provenance, error) {
	all, err := image.provenances(ctx, trust)
	if err != nil {
		return nil, err
	}
	report, err := attest.Verify(ctx, image.Evidence, attest.Policy{
		Trust: trust, Source: source, Reference: image.Named, Image: []string{attest.ProvenanceType},
		Index: []string{attest.ProvenanceType},
	})
	if err != nil {
		return nil, report.Refusal(err)
	}
	p, err := ReadProvenance(all)
	if err != nil {
		return nil, fmt.Errorf("reproduce %s: %w", image.Ref, err)
	}
	return p, nil
}

// Attest signs the outcome for the image and for each platform's image, and attaches it.
// It skips attestations that already exist, and returns how many it made.
func (r Released) Attest(ctx context.Context, s *session.Session, signer signing.Signer,
	c *report.Comparison) (made int, err error) {
	err = s.Stage("attest", func() (string, error) {
		subjects, err := r.summaries(s, r.Provenance, c)
		if err != nil {
			return "", err
		}
		signed, err := attest.Sign(ctx, signer.Signer, subjects, signer.Options(r.Provenance.Plan.Created()))
		if err != nil {
			return "", err
		}
		list, n, err := store.Artifacts(subjects, signed)
		if err != nil {
			return "", err
		}
		if len(list) == 0 {
			return "up to date", nil
		}
		repo, err := store.OpenRepository(ctx, s, r.Evidence.Name, nil, false)
		if err != nil {
			return "", err
		}
		defer repo.Close()
		if err := repo.Attach(ctx, list); err != nil {
			return "", err
		}
		made = n
		return progress.Count(n, "attestation"), nil
	})
	return made, err
}
