package build

import (
	"context"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/plan"
)

// attestIn signs one image and its platforms in a repository.
func (rel *release) attestIn(ctx context.Context, d destination, units []*unit, statements map[string][]attest.Statement) error {
	return rel.stage("sign "+d.name, func() (string, error) {
		subjects, err := rel.subjects(d.name, d.image, units, statements)
		if err != nil {
			return "", err
		}
		g, gctx := errgroup.WithContext(ctx)
		for i := range subjects {
			g.Go(func() (err error) {
				subjects[i].Stored, err = storedIn(gctx, d.repo, subjects[i].Descriptor.Digest)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return "", err
		}
		signed, err := attest.Sign(ctx, rel.signer, subjects, rel.signOptions(rel.resolved.Plan.Created()))
		if err != nil {
			return "", err
		}
		artifacts, made, err := artifacts(subjects, signed)
		if err != nil {
			return "", err
		}
		if made == 0 {
			for _, s := range signed {
				d.read[s.Digest] = s.Stored
			}
			return "up to date", nil
		}
		return count(made, "signature"), d.repo.Attach(ctx, artifacts)
	})
}

// signOptions are those of Config; created is the time in the manifests.
func (rel *release) signOptions(created time.Time) attest.Options {
	var forms []attest.Form
	for _, f := range rel.Config.Release.Forms {
		forms = append(forms, attest.Form(f))
	}
	return attest.Options{Forms: forms, Created: created, Trust: rel.trust}
}

// artifacts are the manifests to attach, and how many signatures are in them.
func artifacts(subjects []attest.Subject, signed []attest.Signed) ([]registry.Artifact, int, error) {
	var all []registry.Artifact
	made := 0
	for i, s := range signed {
		made += s.Made
		for _, b := range s.Bundles {
			all = append(all, registry.Artifact{Image: b})
		}
		for _, tagged := range []struct {
			img, before v1.Image
			tag         string
		}{
			{s.Signatures, subjects[i].Stored.Signatures, attest.SignatureTag(s.Digest)},
			{s.Attestations, subjects[i].Stored.Attestations, attest.AttestationTag(s.Digest)},
		} {
			if tagged.img == nil {
				continue
			}
			a := registry.Artifact{Image: tagged.img, Tag: tagged.tag}
			if tagged.before != nil {
				var err error
				if a.Replaces, err = tagged.before.Digest(); err != nil {
					return nil, 0, err
				}
			}
			all = append(all, a)
		}
	}
	return all, made, nil
}

// verifyIn reads everything back and verifies it. What attestIn read, after the push and
// with nothing to write, is as good.
func (rel *release) verifyIn(ctx context.Context, d destination, units []*unit) error {
	return rel.stage("verify "+d.name, func() (string, error) {
		digest, err := rel.indexes[d.image.Name].Digest()
		if err != nil {
			return "", err
		}
		if _, err := d.repo.ReadBack(ctx, digest, true); err != nil {
			return "", err
		}
		m, err := materialIn(ctx, d.repo, d.name, digest, d.read)
		if err != nil {
			return "", err
		}
		report, err := attest.Verify(ctx, m, rel.policy(d.image, units))
		if err != nil {
			return "", refusal(report, err)
		}
		rel.record(d.name, report)
		return count(len(report.Checks), "check"), nil
	})
}

// policy is what a release's own images must have: everything, in every form that
// was asked for.
func (rel *release) policy(img plan.Image, units []*unit) attest.Policy {
	types := []string{attest.SPDXType, attest.CycloneDXType, attest.ProvenanceType, attest.TestResultType}
	p := attest.Policy{Trust: rel.trust, Forms: rel.signOptions(time.Time{}).Forms, Image: types, Index: types, Source: rel.resolved.Plan.Source}
	if len(p.Forms) == 0 {
		p.Forms = []attest.Form{attest.Bundles, attest.Tags}
	}
	p.Binary = func(_ context.Context, of v1.Descriptor) (string, error) {
		for _, u := range units {
			if u.image.Name == img.Name && u.digest == of.Digest.String() {
				return u.sha256, nil
			}
		}
		return "", fmt.Errorf("%s is not an image of this release", of.Digest)
	}
	return p
}
