package attest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
	// TrustedRoot has the certificates and keys of the Sigstore services: the result of
	// [ParseTrustedRoot]. If there are only keys, it is needed only for RequireLog and
	// RequireTimestamp.
	TrustedRoot any

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

// Root returns the content of the trusted root; nothing if there is none.
func (t Trust) Root() Root {
	if t.TrustedRoot == nil || Linked() != nil {
		return Root{}
	}
	return sigstore.ReadRoot(t.TrustedRoot)
}

// check returns an error for a Trust that cannot accept any signature, or if nothing can be
// verified.
func (t Trust) check() error {
	switch {
	case Linked() != nil:
		return Linked()
	case len(t.Keys) == 0 && len(t.Identities) == 0:
		return errors.New(
			"no key and no identity is expected; give a public key, or an identity with its issuer")
	case t.TrustedRoot == nil && (len(t.Identities) > 0 || t.RequireLog || t.RequireTimestamp):
		return errors.New(
			"an identity, a log entry or a timestamp can be verified only with a trusted root; give its file")
	}
	for _, i := range t.Identities {
		if i.Subject == "" && i.SubjectRegexp == "" || i.Issuer == "" && i.IssuerRegexp == "" {
			return errors.New(
				"an identity needs its subject and its issuer: otherwise any certificate of the same " +
					"authority passes")
		}
	}
	return nil
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
