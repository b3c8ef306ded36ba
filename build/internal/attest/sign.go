package attest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// Subject is an image or an index to be signed, with the statements about it.
type Subject struct {
	// Name is the repository, such as ghcr.io/acme/api. It is part of the old form's signature
	// and of statements.
	Name string
	// Descriptor has the manifest's media type, digest and size in bytes.
	Descriptor v1.Descriptor
	Statements []Statement
	// AttestOnly makes no signature of the image itself, because the signer of the statements
	// did not make the image.
	AttestOnly bool
	// Stored are the existing signatures and statements.
	Stored Stored
}

// Options of [Sign].
type Options struct {
	// Forms are the forms to write; none is both.
	Forms []Form
	// Created is the time in the referrers' annotations: the plan's epoch.
	Created time.Time
	// Trust says what an existing signature needs to count, such as an entry in a log. Only the
	// signer's signatures count, whatever signers it names (see [Trust.Of]).
	Trust Trust
	// Parallel is how many signatures are made and recorded at once; 0 is 8.
	Parallel int
}

// Signed is the result of Sign for one subject.
type Signed struct {
	Digest v1.Hash
	// Bundles are the new referrers.
	Bundles []v1.Image
	// Signatures and Attestations are the complete new images for [SignatureTag] and
	// [AttestationTag]; nil if the stored image does not change.
	Signatures, Attestations v1.Image
	// Made is the number of new signatures. It is 0 if everything existed, or was converted
	// from the other form.
	Made int
	// Found is the subject's Stored, unchanged, without anything new.
	Found Stored
}

// part is something to be signed for a subject, and where its signature is stored.
type part struct {
	statement Statement
	bundle    Bundle // existing or new
	message   Bundle // signature of the simple signing payload
	stamp     []byte // timestamp of the envelope in the old form
	have      map[Form]bool
}

// Sign signs every subject and each of its statements, in every requested form. It skips what
// the same key or identity has signed already, if the predicate is equal except for the
// metadata of the run, or sufficient for another reason. The results are in the order of the
// subjects. If ctx ends or something fails, nothing is returned.
func Sign(ctx context.Context, signer *Signer, subjects []Subject, o Options) ([]Signed, error) {
	forms := written(o.Forms)
	for _, f := range forms {
		if f != Bundles && f != Tags {
			return nil, fmt.Errorf("sign: unknown form %q; use %q or %q", f, Bundles, Tags)
		}
	}
	trust := o.Trust.Of(signer)
	parallel := o.Parallel
	if parallel <= 0 {
		parallel = 8
	}

	subjects = slices.Clone(subjects)
	parts := make([][]*part, len(subjects))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, s := range subjects {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("sign %s: %w", s.Name, err)
		}
		// A subject that is named twice would get its signature twice.
		for _, other := range subjects[:i] {
			if other.Descriptor.Digest == s.Descriptor.Digest && other.Name == s.Name {
				return nil, fmt.Errorf("sign %s: %s is listed twice", s.Name, s.Descriptor.Digest)
			}
		}
		parts[i] = subjects[i].parts(ctx, trust, signer.oldTrust(trust))
	}
	// Start only now: if a subject is refused, no goroutine has to be waited for.
	for i, s := range subjects {
		for _, p := range parts[i] {
			if err := p.start(gctx, g, signer, s, forms); err != nil {
				return nil, errors.Join(err, g.Wait())
			}
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}

	out := make([]Signed, len(subjects))
	for i, s := range subjects {
		var err error
		if out[i], err = s.assemble(parts[i], forms, o.Created); err != nil {
			return nil, fmt.Errorf("sign %s@%s: %w", s.Name, s.Descriptor.Digest, err)
		}
	}
	return out, nil
}

func (s Subject) check() error {
	switch {
	case s.Descriptor.Digest.Algorithm != "sha256" || s.Descriptor.Digest.Hex == "":
		return fmt.Errorf("%q is not a sha256 digest; only a digest can be signed", s.Descriptor.Digest)
	case s.Descriptor.MediaType == "" || s.Descriptor.Size <= 0:
		return errors.New("the descriptor lacks the manifest's media type or size")
	case s.Stored.Unread != nil: // it may be what would be signed again
		return fmt.Errorf("find the signatures that exist already: %w", s.Stored.Unread)
	}
	for _, st := range s.Statements {
		if st.PredicateType == "" || st.PredicateType == SignatureType {
			return fmt.Errorf("predicate type %q is not the type of an attestation", st.PredicateType)
		}
	}
	return nil
}

// oldTrust returns what this signer's signatures in the old form must satisfy: this form cannot
// contain an entry of a log of version 2.
func (s *Signer) oldTrust(t Trust) Trust {
	if len(t.Identities) == 0 && !t.RequireLog {
		return t // no log entry is required
	}
	if !slices.ContainsFunc(s.services.Logs, func(l Log) bool { return l.Version == 1 }) {
		t.TagsUnlogged = true
	}
	return t
}

// Look returns the subjects after reading what is stored about them, so that [Sign] with the same
// signer and trust does not read it. It is for callers who limit the time for that. If ctx ends,
// it returns the cause.
func Look(ctx context.Context, signer *Signer, subjects []Subject, trust Trust) ([]Subject, error) {
	subjects = slices.Clone(subjects)
	trust = trust.Of(signer)
	for i := range subjects {
		if trust.check() == nil { // otherwise nothing that is stored counts
			subjects[i].look(ctx, trust, signer.oldTrust(trust))
		}
	}
	if err := context.Cause(ctx); err != nil { // a document may be taken for a damaged one
		return nil, err
	}
	return subjects, nil
}

// look returns the findings about what is stored, and keeps them for the next call.
func (s *Subject) look(ctx context.Context, bundles, tags Trust) []*finding {
	findings := s.Stored.findings(ctx, s.Descriptor.Digest, bundles, tags)
	s.Stored.looked = &looked{stored: s.Stored, digest: s.Descriptor.Digest, bundles: bundles,
		tags: tags, findings: findings}
	return findings
}

// parts lists what is to be signed, with the existing signatures in either form, because the
// forms share envelopes.
func (s *Subject) parts(ctx context.Context, bundles, tags Trust) []*part {
	var parts []*part
	for _, st := range s.said() {
		parts = append(parts, &part{statement: st, have: map[Form]bool{}})
	}
	if bundles.check() != nil {
		return parts // no signer is expected, so nothing counts
	}
	for i, f := range satisfy(Require([]Subject{*s}, nil), s.look(ctx, bundles, tags)) {
		if f == nil {
			continue
		}
		p := parts[i%len(parts)] // Require lists the statements once for each form
		p.have[f.form] = true
		if f.bundle != nil {
			p.bundle = f.bundle
		}
	}
	return parts
}

// start signs what is missing of a part. Both forms use the same envelope of an attestation.
func (p *part) start(ctx context.Context, g *errgroup.Group, signer *Signer, s Subject, forms []Form) error {
	digest := s.Descriptor.Digest
	isSignature := p.statement.PredicateType == SignatureType
	needTag := slices.Contains(forms, Tags) && !p.have[Tags]
	needBundle := slices.Contains(forms, Bundles) && !p.have[Bundles]
	if isSignature && needTag {
		message, err := simpleSigning(s.Name, digest)
		if err != nil {
			return fmt.Errorf("sign %s@%s: %w", s.Name, digest, err)
		}
		g.Go(func() error {
			b, err := signer.with.Message(ctx, message)
			if err != nil {
				return fmt.Errorf("sign %s@%s: %w", s.Name, digest, err)
			}
			p.message = b
			return nil
		})
	}
	if !needBundle && (!needTag || isSignature) {
		return nil
	}
	found := p.bundle
	if needBundle {
		found = nil
	}
	statement, err := p.statement.encode(s.Name, digest)
	if err != nil {
		return fmt.Errorf("sign %s@%s: %w", s.Name, digest, err)
	}
	g.Go(func() (err error) {
		defer func() {
			if err != nil {
				err = fmt.Errorf("sign %s@%s (%s): %w", s.Name, digest, p.statement.PredicateType, err)
			}
		}()
		if p.bundle = found; found == nil {
			if p.bundle, err = signer.with.Statement(ctx, statement); err != nil {
				return err
			}
		}
		if !needTag || isSignature {
			return nil
		}
		envelope, err := p.bundle.OldEnvelope()
		if err != nil {
			return err
		}
		p.stamp, err = signer.with.Stamp(ctx, envelope)
		return err
	})
	return nil
}

// assemble puts the signatures into manifests.
func (s Subject) assemble(parts []*part, forms []Form, created time.Time) (Signed, error) {
	out := Signed{Digest: s.Descriptor.Digest, Found: s.Stored}
	var sigs, atts []OldLayer
	for _, p := range parts {
		made := 0
		if slices.Contains(forms, Bundles) && !p.have[Bundles] {
			made = 1
			j, err := p.bundle.JSON()
			if err != nil {
				return Signed{}, err
			}
			img, err := newReferrer(s.Descriptor, j, p.statement.PredicateType, created)
			if err != nil {
				return Signed{}, err
			}
			out.Bundles = append(out.Bundles, img)
		}
		if slices.Contains(forms, Tags) && !p.have[Tags] {
			if p.statement.PredicateType == SignatureType {
				made++
				message, err := simpleSigning(s.Name, s.Descriptor.Digest)
				if err != nil {
					return Signed{}, err
				}
				sig, err := p.message.OldSignature(message)
				if err != nil {
					return Signed{}, err
				}
				sigs = append(sigs, sig)
			} else {
				if !p.have[Bundles] {
					made = 1
				}
				att, err := p.bundle.OldAttestation(p.statement.PredicateType, p.stamp)
				if err != nil {
					return Signed{}, err
				}
				atts = append(atts, att)
			}
		}
		out.Made += made
	}
	var err error
	if len(sigs) > 0 {
		if out.Signatures, err = s.Stored.with(SignatureTag(s.Descriptor.Digest),
			s.Stored.Signatures, sigs); err != nil {
			return Signed{}, err
		}
	}
	if len(atts) > 0 {
		if out.Attestations, err = s.Stored.with(AttestationTag(s.Descriptor.Digest),
			s.Stored.Attestations, atts); err != nil {
			return Signed{}, err
		}
	}
	return out, nil
}

// SignBlob signs bytes, such as checksums.txt, and returns the Sigstore bundle in JSON, to be
// stored beside them.
func SignBlob(ctx context.Context, signer *Signer, blob []byte) ([]byte, error) {
	b, err := signer.with.Message(ctx, blob)
	if err != nil {
		return nil, fmt.Errorf("sign blob: %w", err)
	}
	return b.JSON()
}

// VerifyBlob verifies a bundle of [SignBlob], and returns the signer.
func VerifyBlob(blob, bundleJSON []byte, trust Trust) (signer string, err error) {
	if err := trust.check(); err != nil {
		return "", fmt.Errorf("verify blob: %w", err)
	}
	b, err := decodeBundle(bundleJSON)
	if err != nil {
		return "", fmt.Errorf("verify blob: %w", err)
	}
	if !b.IsMessage() {
		return "", errors.New("verify blob: the bundle is not the signature of a blob")
	}
	signer, err = b.Signer(trust, blob)
	if err != nil {
		return "", fmt.Errorf("verify blob: %w", err)
	}
	return signer, nil
}
