package attest_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// indexDescribedBy gives the index an SBOM for each platform, so that one subject has
// several statements of one type.
func indexDescribedBy(r *release) {
	for _, img := range r.images {
		sum := binary(must(img.Digest()))
		r.subjects[0].Statements = append(r.subjects[0].Statements,
			attest.Statement{PredicateType: attest.SPDXType, Predicate: spdxOf(sum)})
	}
}

// pieces gives what is stored about a digest without one piece of it, for each piece: a
// bundle, a layer of an image, or the whole image.
func pieces(s attest.Stored) map[string]attest.Stored {
	all := map[string]attest.Stored{}
	for i := range s.Bundles {
		left := s
		left.Bundles = slices.Delete(slices.Clone(s.Bundles), i, i+1)
		all[fmt.Sprint("bundle ", i)] = left
	}
	without := func(img v1.Image, i int) v1.Image {
		at := -1
		return layersOf(img, func(map[string]string) bool { at++; return at != i })
	}
	if s.Signatures != nil {
		left := s
		left.Signatures = nil
		all[".sig"] = left
	}
	if s.Attestations != nil {
		left := s
		left.Attestations = nil
		all[".att"] = left
		for i := range must(s.Attestations.Layers()) {
			left.Attestations = without(s.Attestations, i)
			all[fmt.Sprint(".att layer ", i)] = left
		}
	}
	return all
}

// Whatever piece is missing of what the plan asks for, the release's verification says so,
// although all else is there, and the next run makes that piece and nothing else.
func TestEveryPieceIsRequired(t *testing.T) {
	signer, public := quickKey(t)
	for name, f := range forms {
		r := newRelease(t, "registry.example/acme/api")
		indexDescribedBy(r)
		r.sign(t, signer, attest.Options{Forms: f})
		p := policy(public)
		p.Required = attest.Require(r.subjects, f)
		if _, err := attest.Verify(t.Context(), r.material(), p); err != nil {
			t.Fatalf("%s: nothing is missing: %v", name, err)
		}
		for i := range r.subjects {
			complete := r.subjects[i].Stored
			for piece, left := range pieces(complete) {
				r.subjects[i].Stored = left
				if _, err := attest.Verify(t.Context(), r.material(), p); !errors.Is(err, attest.ErrRefused) {
					t.Errorf("%s: subject %d without %s: %v", name, i, piece, err)
				}
				signed, err := attest.Sign(t.Context(), signer, r.subjects, attest.Options{Forms: f, Created: epoch})
				if err != nil {
					t.Fatal(err)
				}
				for j, s := range signed {
					wrote := len(s.Bundles) > 0 || s.Signatures != nil || s.Attestations != nil
					if wrote != (i == j) || len(s.Bundles) > 1 {
						t.Errorf("%s: without %s of subject %d, subject %d gets %d bundles, .sig %v, .att %v", name, piece, i, j, len(s.Bundles), s.Signatures != nil, s.Attestations != nil)
					}
				}
				r.subjects[i].Stored = after(signed[i])
				if _, err := attest.Verify(t.Context(), r.material(), p); err != nil {
					t.Errorf("%s: after the next run: %v", name, err)
				}
			}
			r.subjects[i].Stored = complete
		}
	}
}

// A subject of the plan that the index does not name is missing too.
func TestRequiredSubjectIsUnknown(t *testing.T) {
	signer, public := quickKey(t)
	r := newRelease(t, "registry.example/acme/api")
	r.sign(t, signer, attest.Options{})
	p := policy(public)
	p.Required = attest.Require(append(r.subjects, newRelease(t, r.name).subjects[1]), nil)
	report, err := attest.Verify(t.Context(), r.material(), p)
	if !errors.Is(err, attest.ErrRefused) || len(report.Checks) == 0 || report.Checks[len(report.Checks)-1].Detail != "it is part of the release, but it was not found" {
		t.Errorf("%v, %+v", err, report.Checks)
	}
}

// A key that is trusted besides, such as the one before, does not sign for the present one.
func TestTrustedKeysSignForThemselves(t *testing.T) {
	old, oldPublic := quickKey(t)
	signer, public := quickKey(t)
	for name, f := range forms {
		r := newRelease(t, "registry.example/acme/api")
		r.sign(t, old, attest.Options{Forms: f})
		both := attest.Trust{Keys: []*attest.PublicKey{public, oldPublic}}
		p := policy()
		p.Trust, p.Required = both.Of(signer), attest.Require(r.subjects, f)
		if _, err := attest.Verify(t.Context(), r.material(), p); !errors.Is(err, attest.ErrRefused) {
			t.Errorf("%s: what the old key has signed passes for the new one's: %v", name, err)
		}
		made := 0
		for _, s := range r.sign(t, signer, attest.Options{Forms: f, Trust: both}) {
			made += s.Made
		}
		if want := map[string]int{"bundles": 12, "tags": 12, "both": 15}[name]; made != want {
			t.Errorf("%s: the new key made %d signatures, want %d", name, made, want)
		}
		for _, key := range []*attest.PublicKey{public, oldPublic} {
			if _, err := attest.Verify(t.Context(), r.material(), policy(key)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, s := range r.sign(t, signer, attest.Options{Forms: f, Trust: both}) {
			if s.Made != 0 {
				t.Errorf("%s: %s is signed again", name, s.Digest)
			}
		}
	}
}

// What would be said twice of a digest is said once.
func TestSaidOnce(t *testing.T) {
	signer, public := quickKey(t)
	r := newRelease(t, "registry.example/acme/api")
	r.subjects[0].Statements = append(r.subjects[0].Statements, r.subjects[0].Statements...)
	if n := len(attest.Require(r.subjects[:1], forms["tags"])); n != 2 {
		t.Errorf("%d are required, want the signature and the provenance", n)
	}
	made := 0
	for _, s := range r.sign(t, signer, attest.Options{Forms: forms["tags"]}) {
		made += s.Made
	}
	p := policy(public)
	p.Required = attest.Require(r.subjects, forms["tags"])
	if _, err := attest.Verify(t.Context(), r.material(), p); err != nil || made != 12 {
		t.Errorf("%v, %d signatures", err, made)
	}
}
