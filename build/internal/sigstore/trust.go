package sigstore

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	in_toto "github.com/in-toto/attestation/go/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	fulciocert "github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/oci"
	"github.com/sigstore/cosign/v2/pkg/oci/signature"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// trust is an attest.Trust that verifies.
type trust struct {
	attest.Trust
	// root is its trusted root; nil if it has none.
	root root.TrustedMaterial
}

func trusting(t attest.Trust) trust { return trust{t, rootOf(t)} }

// rootOf returns the trusted root; nil if there is none.
func rootOf(t attest.Trust) root.TrustedMaterial {
	if t.TrustedRoot == nil {
		return nil
	}
	return t.TrustedRoot.(root.TrustedMaterial) // ParseTrustedRoot returns nothing else
}

// whole makes a regular expression match the whole value.
func whole(expr string) string {
	if expr == "" {
		return ""
	}
	return "^(?:" + expr + ")$"
}

// material is the trusted root with one key as its only key.
type material struct {
	root.TrustedMaterial
	key *attest.PublicKey
}

func (m material) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	if m.key == nil {
		return nil, errors.New("no key is expected")
	}
	verifier, err := verifierOf(m.key)
	if err != nil {
		return nil, err
	}
	return root.NewExpiringKey(verifier, time.Time{}, time.Time{}), nil
}

func (t trust) material(key *attest.PublicKey) root.TrustedMaterial {
	if t.root == nil {
		return material{&root.BaseTrustedMaterial{}, key}
	}
	return material{t.root, key}
}

// bundleSigner returns the signer of a bundle, if it is an expected one. For an image, b is
// unparsed and artifact is verify.WithoutArtifactUnsafe: the caller compares the statement's
// subject, and can then report the actual subject. artifact is called for each key or identity,
// because each attempt reads to the end.
func (t trust) bundleSigner(b verify.SignedEntity,
	artifact func() verify.ArtifactPolicyOption) (string, error) {
	content, err := b.VerificationContent()
	if err != nil {
		return "", err
	}
	if cert := content.Certificate(); cert != nil {
		return t.certificateSigner(cert, func(id verify.CertificateIdentity) error {
			var o []verify.VerifierOption
			if !t.AllowUnlogged {
				o = append(o, verify.WithTransparencyLog(1))
			}
			if !t.AllowNoSCT {
				o = append(o, verify.WithSignedCertificateTimestamps(1))
			}
			o = append(o, verify.WithObserverTimestamps(1))
			v, err := verify.NewVerifier(t.root, o...)
			if err != nil {
				return err
			}
			_, err = v.Verify(b, verify.NewPolicy(artifact(), verify.WithCertificateIdentity(id)))
			return err
		})
	}
	return t.keySigner(func(key *attest.PublicKey) error {
		var o []verify.VerifierOption
		if t.RequireLog {
			o = append(o, verify.WithTransparencyLog(1))
		}
		if t.RequireTimestamp {
			o = append(o, verify.WithSignedTimestamps(1))
		} else {
			o = append(o, verify.WithNoObserverTimestamps())
		}
		v, err := verify.NewVerifier(t.material(key), o...)
		if err != nil {
			return err
		}
		_, err = v.Verify(b, verify.NewPolicy(artifact(), verify.WithKey()))
		return err
	})
}

// unparsed is a bundle without its statement, which the caller has already read. sigstore-go
// would parse the predicate into an unused tree; for an SBOM this takes longer than the rest of
// the verification.
type unparsed struct{ *bundle.Bundle }

func (b unparsed) SignatureContent() (verify.SignatureContent, error) {
	content, err := b.Bundle.SignatureContent()
	if e, ok := content.(*bundle.Envelope); ok {
		return unparsedEnvelope{e}, err
	}
	return content, err
}

type unparsedEnvelope struct{ *bundle.Envelope }

func (e unparsedEnvelope) EnvelopeContent() verify.EnvelopeContent { return e }
func (e unparsedEnvelope) Statement() (*in_toto.Statement, error)  { return nil, nil }

// OldSigner returns the signer of a layer of a .sig or .att image.
func (Library) OldSigner(ctx context.Context, t attest.Trust, of v1.Descriptor, content []byte,
	attestation bool) (string, error) {
	check := cosign.VerifyImageSignature
	if attestation {
		check = cosign.VerifyBlobAttestation
	}
	return trusting(t).oldSigner(ctx, signature.New(static.NewLayer(content, of.MediaType), of), check)
}

// oldSigner is bundleSigner for the old form. check is cosign's function for a signature or for
// an attestation.
func (t trust) oldSigner(ctx context.Context, sig oci.Signature,
	check func(context.Context, oci.Signature, v1.Hash, *cosign.CheckOpts) (bool, error)) (string, error) {
	if t.TagsUnlogged {
		t.AllowUnlogged, t.RequireLog = true, false
	}
	stamp, err := sig.RFC3161Timestamp()
	if err != nil {
		return "", fmt.Errorf("read timestamp: %w", err)
	}
	entry, err := sig.Bundle()
	if err != nil {
		return "", fmt.Errorf("read log entry: %w", err)
	}
	cert, err := sig.Cert()
	if err != nil {
		return "", fmt.Errorf("read certificate: %w", err)
	}
	// No digest: the caller compares what is signed.
	run := func(co *cosign.CheckOpts) (err error) {
		// cosign's functions for the old form trust many of a layer's annotations, and panic if
		// these are forged.
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("it is malformed: %v", p)
			}
		}()
		co.Offline = true
		co.MaxWorkers = 1
		_, err = check(ctx, sig, v1.Hash{}, co)
		return err
	}
	// Checked first, because cosign prints what is wrong with a timestamp.
	stamped := func() error {
		if err := t.stamped(sig, stamp.SignedRFC3161Timestamp); err != nil {
			return fmt.Errorf("its timestamp does not verify: %w", err)
		}
		return nil
	}
	if cert != nil {
		return t.certificateSigner(cert, func(id verify.CertificateIdentity) error {
			switch {
			case entry == nil && !t.AllowUnlogged:
				return errors.New("it has no entry of a transparency log")
			case entry == nil && stamp == nil:
				return errors.New("its time cannot be verified: it has no log entry and no timestamp")
			case stamp != nil:
				if err := stamped(); err != nil {
					return err
				}
			}
			i := cosign.Identity{
				Subject:       id.SubjectAlternativeName.SubjectAlternativeName,
				SubjectRegExp: id.SubjectAlternativeName.Regexp.String(),
				Issuer:        id.Issuer.Issuer, IssuerRegExp: id.Issuer.Regexp.String(),
			}
			return run(&cosign.CheckOpts{
				TrustedMaterial: t.root, Identities: []cosign.Identity{i},
				IgnoreSCT: t.AllowNoSCT, IgnoreTlog: entry == nil, UseSignedTimestamps: stamp != nil,
			})
		})
	}
	switch {
	case t.RequireLog && entry == nil:
		return "", errors.New("it has no entry of a transparency log")
	case t.RequireTimestamp && stamp == nil:
		return "", errors.New("it has no timestamp")
	case t.RequireTimestamp:
		if err := stamped(); err != nil {
			return "", err
		}
	}
	return t.keySigner(func(key *attest.PublicKey) error {
		verifier, err := verifierOf(key)
		if err != nil {
			return err
		}
		return run(&cosign.CheckOpts{
			TrustedMaterial: t.root, SigVerifier: verifier,
			IgnoreTlog: !t.RequireLog, UseSignedTimestamps: t.RequireTimestamp,
		})
	})
}

// stamped verifies a timestamp of the old form. For a .sig layer it is of the signature, for an
// .att layer of the whole layer.
func (t trust) stamped(sig oci.Signature, stamp []byte) error {
	signed, err := sig.Signature()
	if err == nil && len(signed) == 0 {
		signed, err = sig.Payload()
	}
	if err != nil {
		return err
	}
	err = errors.New("no timestamp authority is trusted")
	for _, authority := range t.root.TimestampingAuthorities() {
		if _, err = authority.Verify(stamp, signed); err == nil {
			return nil
		}
	}
	return err
}

// keySigner tries each key.
func (t trust) keySigner(check func(*attest.PublicKey) error) (string, error) {
	if len(t.Keys) == 0 {
		return "", errors.New("it is signed with a key, but an identity is expected")
	}
	var errs []string
	for _, key := range t.Keys {
		err := check(key)
		if err == nil {
			return "key " + key.String(), nil
		}
		errs = append(errs, oneLine(err))
	}
	return "", fmt.Errorf("it does not verify with the expected key: %s", joinDistinct(errs))
}

// certificateSigner tries each identity.
func (t trust) certificateSigner(cert *x509.Certificate,
	check func(verify.CertificateIdentity) error) (string, error) {
	summary, err := fulciocert.SummarizeCertificate(cert)
	if err != nil {
		return "", fmt.Errorf("read certificate: %w", err)
	}
	is := attest.Identity{Subject: summary.SubjectAlternativeName, Issuer: summary.Issuer}
	if len(t.Identities) == 0 {
		return "", fmt.Errorf("it is signed by %s, but a key is expected", is)
	}
	var errs []string
	for _, want := range t.Identities {
		id, err := verify.NewShortCertificateIdentity(want.Issuer, whole(want.IssuerRegexp), want.Subject,
			whole(want.SubjectRegexp))
		if err != nil {
			return "", fmt.Errorf("read expected identity: %w", err)
		}
		// Checked first, so that the error gives this reason.
		if err := id.Verify(summary); err != nil {
			errs = append(errs, fmt.Sprintf("it is signed by %s, not by %s", is, want))
			continue
		}
		if err := check(id); err != nil {
			errs = append(errs, oneLine(t.certificateError(cert, err)))
			continue
		}
		return is.String(), nil
	}
	return "", errors.New(joinDistinct(errs))
}

// certificateError distinguishes a certificate of an unknown authority from one that was not
// valid at that time. The libraries do not, or use different messages.
func (t trust) certificateError(cert *x509.Certificate, err error) error {
	if text := err.Error(); !strings.Contains(text, "leaf certificate verification failed") &&
		!strings.Contains(text, "checking expiry on certificate") {
		return err
	}
	for _, authority := range t.root.FulcioCertificateAuthorities() {
		if _, chainErr := authority.Verify(cert, cert.NotBefore); chainErr == nil {
			return fmt.Errorf(
				"its certificate was valid only from %s to %s, and it was signed at another time",
				cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	return errors.New("its certificate's chain does not end in the trusted root")
}

// joinDistinct and oneLine are those of package attest.
func joinDistinct(s []string) string {
	slices.Sort(s)
	return strings.Join(slices.Compact(s), "; ")
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
