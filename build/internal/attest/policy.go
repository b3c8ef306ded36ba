package attest

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	in_toto "github.com/in-toto/attestation/go/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	fulciocert "github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/oci"
)

// Identity is the required signer of a keyless signature: the certificate's subject (an email
// address or URI) and the issuer of the token, each as a value or as a regular expression that
// must match the whole value.
type Identity struct {
	Subject, SubjectRegexp string
	Issuer, IssuerRegexp   string
}

// String returns the identity in the form used in a report.
func (i Identity) String() string {
	subject, issuer := i.Subject, i.Issuer
	if subject == "" {
		subject = "/" + i.SubjectRegexp + "/"
	}
	if issuer == "" {
		issuer = "/" + i.IssuerRegexp + "/"
	}
	return subject + " of " + issuer
}

// Trust says whose signatures count.
type Trust struct {
	// Keys are public keys; a signature by any of them counts. There are several while keys are
	// rotated.
	Keys []*PublicKey
	// Identities are keyless signers; a signature by any of them counts. They need TrustedRoot.
	Identities []Identity
	// TrustedRoot has the certificates and keys of the Sigstore services: see
	// root.NewTrustedRootFromJSON. If there are only keys, it is needed only for RequireLog and
	// RequireTimestamp.
	TrustedRoot root.TrustedMaterial

	// RequireLog requires a transparency log entry for signatures by keys, RequireTimestamp
	// requires a timestamp of an authority.
	RequireLog, RequireTimestamp bool

	// A keyless signature needs an entry in a transparency log, an entry of its certificate in
	// a certificate transparency log, and a time from a log or a timestamp authority.
	// AllowUnlogged and AllowNoSCT waive the first two, for a private Sigstore without such
	// logs.
	AllowUnlogged, AllowNoSCT bool
	// TagsUnlogged waives the transparency log entry only for the old form, which cannot
	// contain an entry of a Rekor log of version 2.
	TagsUnlogged bool
}

// Of returns a Trust that accepts only signatures of this signer. For a keyless signer it
// accepts the identities of t.
func (t Trust) Of(signer *Signer) Trust {
	if signer.public == nil {
		t.Keys = nil
	} else {
		t.Keys, t.Identities = []*PublicKey{signer.public}, nil
	}
	return t
}

// check returns an error for a Trust that cannot accept any signature.
func (t Trust) check() error {
	switch {
	case len(t.Keys) == 0 && len(t.Identities) == 0:
		return errors.New("no key and no identity is expected; give a public key, or an identity with its issuer")
	case t.TrustedRoot == nil && (len(t.Identities) > 0 || t.RequireLog || t.RequireTimestamp):
		return errors.New("an identity, a log entry or a timestamp can be verified only with a trusted root; give its file")
	}
	for _, i := range t.Identities {
		if i.Subject == "" && i.SubjectRegexp == "" || i.Issuer == "" && i.IssuerRegexp == "" {
			return errors.New("an identity needs its subject and its issuer: otherwise any certificate of the same authority passes")
		}
	}
	return nil
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
	key *PublicKey
}

func (m material) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	if m.key == nil {
		return nil, errors.New("no key is expected")
	}
	return root.NewExpiringKey(m.key.verifier, time.Time{}, time.Time{}), nil
}

func (t Trust) material(key *PublicKey) root.TrustedMaterial {
	if t.TrustedRoot == nil {
		return material{&root.BaseTrustedMaterial{}, key}
	}
	return material{t.TrustedRoot, key}
}

// bundleSigner returns the signer of a bundle, if it is an expected one. For an image, b is
// unparsed and artifact is verify.WithoutArtifactUnsafe: the caller compares the statement's
// subject, and can then report the actual subject. artifact is called for each key or identity,
// because each attempt reads to the end.
func (t Trust) bundleSigner(b verify.SignedEntity, artifact func() verify.ArtifactPolicyOption) (string, error) {
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
			v, err := verify.NewVerifier(t.TrustedRoot, o...)
			if err != nil {
				return err
			}
			_, err = v.Verify(b, verify.NewPolicy(artifact(), verify.WithCertificateIdentity(id)))
			return err
		})
	}
	return t.keySigner(func(key *PublicKey) error {
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

// oldSigner is bundleSigner for the old form. check is cosign's function for a signature or for
// an attestation.
func (t Trust) oldSigner(ctx context.Context, sig oci.Signature, check func(context.Context, oci.Signature, v1.Hash, *cosign.CheckOpts) (bool, error)) (string, error) {
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
				Subject: id.SubjectAlternativeName.SubjectAlternativeName, SubjectRegExp: id.SubjectAlternativeName.Regexp.String(),
				Issuer: id.Issuer.Issuer, IssuerRegExp: id.Issuer.Regexp.String(),
			}
			return run(&cosign.CheckOpts{
				TrustedMaterial: t.TrustedRoot, Identities: []cosign.Identity{i},
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
	return t.keySigner(func(key *PublicKey) error {
		return run(&cosign.CheckOpts{
			TrustedMaterial: t.TrustedRoot, SigVerifier: key.verifier,
			IgnoreTlog: !t.RequireLog, UseSignedTimestamps: t.RequireTimestamp,
		})
	})
}

// stamped verifies a timestamp of the old form. For a .sig layer it is of the signature, for an
// .att layer of the whole layer.
func (t Trust) stamped(sig oci.Signature, stamp []byte) error {
	signed, err := sig.Signature()
	if err == nil && len(signed) == 0 {
		signed, err = sig.Payload()
	}
	if err != nil {
		return err
	}
	err = errors.New("no timestamp authority is trusted")
	for _, authority := range t.TrustedRoot.TimestampingAuthorities() {
		if _, err = authority.Verify(stamp, signed); err == nil {
			return nil
		}
	}
	return err
}

// keySigner tries each key.
func (t Trust) keySigner(check func(*PublicKey) error) (string, error) {
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
func (t Trust) certificateSigner(cert *x509.Certificate, check func(verify.CertificateIdentity) error) (string, error) {
	summary, err := fulciocert.SummarizeCertificate(cert)
	if err != nil {
		return "", fmt.Errorf("read certificate: %w", err)
	}
	is := Identity{Subject: summary.SubjectAlternativeName, Issuer: summary.Issuer}
	if len(t.Identities) == 0 {
		return "", fmt.Errorf("it is signed by %s, but a key is expected", is)
	}
	var errs []string
	for _, want := range t.Identities {
		id, err := verify.NewShortCertificateIdentity(want.Issuer, whole(want.IssuerRegexp), want.Subject, whole(want.SubjectRegexp))
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
func (t Trust) certificateError(cert *x509.Certificate, err error) error {
	if text := err.Error(); !strings.Contains(text, "leaf certificate verification failed") && !strings.Contains(text, "checking expiry on certificate") {
		return err
	}
	for _, authority := range t.TrustedRoot.FulcioCertificateAuthorities() {
		if _, chainErr := authority.Verify(cert, cert.NotBefore); chainErr == nil {
			return fmt.Errorf("its certificate was valid only from %s to %s, and it was signed at another time",
				cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	return errors.New("its certificate's chain does not end in the trusted root")
}

func joinDistinct(s []string) string {
	slices.Sort(s)
	return strings.Join(slices.Compact(s), "; ")
}

// oneLine removes line breaks, so that a report's table stays a table.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func sha256Of(b []byte) v1.Hash {
	sum := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}
