package release

import (
	"context"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// Receipt lists what was read back and verified.
type Receipt struct {
	Signatures, Attestations []report.Signature
}

// Verify reads everything back, except what Sign has just read, and verifies it as a user
// would. It checks that everything in the plan is there, regardless of what the registry lists.
func Verify(ctx context.Context, s *session.Session, p *plan.Plan, signer signing.Signer,
	signed []Signed) (Receipt, error) {
	var receipt Receipt
	for _, of := range signed {
		err := s.Stage("verify "+of.upload.Name, func() (string, error) {
			report, err := of.verify(ctx, policy(p, signer, of.image, of.subjects))
			if err != nil {
				return "", err
			}
			receipt = receipt.with(of.upload.Name, report)
			return progress.Count(len(report.Checks), "check"), nil
		})
		if err != nil {
			return Receipt{}, err
		}
	}
	return receipt, nil
}

// verify reads back and verifies one upload.
func (s Signed) verify(ctx context.Context, policy attest.Policy) (attest.Report, error) {
	if _, err := s.upload.repo.ReadBack(ctx, s.upload.Digest, true); err != nil {
		return attest.Report{}, err
	}
	m, err := store.Evidence(ctx, s.upload.repo, s.upload.Name, s.upload.Digest, s.read)
	if err != nil {
		return attest.Report{}, err
	}
	configs, err := configsOf(m)
	if err != nil {
		return attest.Report{}, err
	}
	if err := s.upload.repo.HaveBlobs(ctx, configs); err != nil {
		return attest.Report{}, err
	}
	report, err := attest.Verify(ctx, m, policy)
	return report, report.Refusal(err)
}

// configsOf returns the configurations of stored manifests: they contain nothing, but a client
// needs them to copy an image. A bundle, from any signer, has the empty configuration.
func configsOf(m attest.Evidence) ([]v1.Descriptor, error) {
	var all []v1.Descriptor
	for _, at := range append([]attest.Manifest{m.Root}, m.Children...) {
		for _, img := range append(slices.Clone(at.Stored.Bundles), at.Stored.Signatures,
			at.Stored.Attestations) {
			if img == nil {
				continue
			}
			manifest, err := img.Manifest()
			if err != nil {
				return nil, err
			}
			bundle := img != at.Stored.Signatures && img != at.Stored.Attestations
			if bundle && manifest.Config.Digest.String() != imagespec.DescriptorEmptyJSON.Digest.String() {
				continue
			}
			if !slices.ContainsFunc(all, func(
				d v1.Descriptor) bool {
				return d.Digest == manifest.Config.Digest
			}) {
				all = append(all, manifest.Config)
			}
		}
	}
	return all, nil
}

// policy returns what a release's images must have: all statements about them, by this run's
// signer, in every requested form.
func policy(p *plan.Plan, signer signing.Signer, image Image, subjects []attest.Subject) attest.Policy {
	return attest.Policy{
		Trust: signer.Trust.Of(signer.Signer), Source: p.Source,
		Required: attest.Require(subjects, signer.Forms),
		Binary: func(_ context.Context, of v1.Descriptor) (string, error) {
			if sum, ok := image.binaries[of.Digest]; ok {
				return sum, nil
			}
			return "", fmt.Errorf("%s is not an image of this release", of.Digest)
		},
	}
}

// with returns the receipt plus what a report says was verified.
func (r Receipt) with(repository string, verified attest.Report) Receipt {
	for _, c := range verified.Checks {
		if c.Outcome != attest.Passed || c.Form == "" {
			continue
		}
		s := report.Signature{Repository: repository, Subject: c.Subject, Type: c.Check,
			Form: c.Form, Signer: c.Detail}
		switch {
		case c.Check == "signature":
			r.Signatures = append(r.Signatures, s)
		case slices.Contains([]string{"spdx", "cyclonedx", "provenance", "test-result", "release"}, c.Check):
			r.Attestations = append(r.Attestations, s)
		}
	}
	return r
}
