package attest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Log is a transparency log: a Rekor instance.
type Log struct {
	URL string
	// Version is the major version of its API: 1 or 2.
	Version uint32
}

// Services record a signature. Only named services are used; none is named by default.
type Services struct {
	Logs []Log
	// TimestampAuthorities are the full URLs of RFC 3161 endpoints, such as
	// https://tsa.example.com/api/v1/timestamp.
	TimestampAuthorities []string
	// Retries is how often a failed request is repeated, with growing pauses.
	Retries uint
	// Transport is for requests to timestamp authorities and Fulcio; nil is
	// http.DefaultTransport.
	Transport http.RoundTripper
}

// Keyless signs with certificates of a Fulcio instance.
type Keyless struct {
	// Fulcio is the instance's URL.
	Fulcio string
	// Token returns an OpenID Connect identity token for the audience of Fulcio: see
	// [TokenSource]. It is called once for each certificate.
	Token func(context.Context) (string, error)
}

// Signer signs with one key, or with one identity and a key that exists as long as the Signer.
// It is safe for concurrent use.
type Signer struct {
	with     Cryptography
	public   *PublicKey // of a long-lived key
	services Services
}

// NewSigner makes the signer of a key.
func NewSigner(key *Key, services Services) (*Signer, error) {
	if err := errors.Join(Linked(), services.check()); err != nil {
		return nil, err
	}
	return &Signer{with: sigstore.KeySigner(key, services), public: key.public, services: services}, nil
}

// NewKeylessSigner makes the signer of an identity. It requests nothing before the first
// signature. A keyless signature can be verified after its certificate has expired only with a
// trusted time, so a log of version 1 or a timestamp authority is required; a log of version 2
// gives no time.
func NewKeylessSigner(k Keyless, services Services) (*Signer, error) {
	if k.Fulcio == "" || k.Token == nil {
		return nil, errors.New(
			"make keyless signer: the URL of Fulcio and a source of identity tokens are needed")
	}
	if err := errors.Join(Linked(), services.check()); err != nil {
		return nil, err
	}
	timed := len(services.TimestampAuthorities) > 0
	for _, l := range services.Logs {
		timed = timed || l.Version == 1
	}
	if !timed {
		return nil, errors.New(
			"make keyless signer: without a timestamp authority or a Rekor log of version 1, signatures " +
				"cannot be verified after the certificate expires; set one")
	}
	with, err := sigstore.KeylessSigner(k, services)
	if err != nil {
		return nil, fmt.Errorf("make keyless signer: %w", err)
	}
	return &Signer{with: with, services: services}, nil
}

func (s Services) check() error {
	for _, l := range s.Logs {
		if l.URL == "" || l.Version != 1 && l.Version != 2 {
			return fmt.Errorf("make signer: transparency log %q has version %d; supported are 1 and 2", l.URL,
				l.Version)
		}
	}
	return nil
}

// PublicKey returns the key that verifies the signer's signatures; nil for an identity.
func (s *Signer) PublicKey() *PublicKey { return s.public }

// Identity returns the identity in a keyless signer's certificate, which it requests if there
// is none yet. For the signer of a key it returns an error.
func (s *Signer) Identity(ctx context.Context) (Identity, error) { return s.with.Identity(ctx) }

// CheckCertificate checks whether this trust would accept the certificate of a keyless signer:
// its chain, and its entry in a certificate transparency log.
func (t Trust) CheckCertificate(ctx context.Context, s *Signer) error {
	if t.TrustedRoot == nil {
		return errors.New("check the signer's certificate: there is no trusted root to verify it with")
	}
	return s.with.CheckCertificate(ctx, t)
}
