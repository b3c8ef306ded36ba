package attest

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"
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
	keypair  sign.Keypair
	public   *PublicKey   // of a long-lived key
	cert     *certificate // of an identity
	services Services
}

// NewSigner makes the signer of a key.
func NewSigner(key *Key, services Services) (*Signer, error) {
	if err := services.check(); err != nil {
		return nil, err
	}
	return &Signer{keypair: key, public: key.public, services: services}, nil
}

// NewKeylessSigner makes the signer of an identity. It requests nothing before the first
// signature. A keyless signature can be verified after its certificate has expired only with a
// trusted time, so a log of version 1 or a timestamp authority is required; a log of version 2
// gives no time.
func NewKeylessSigner(k Keyless, services Services) (*Signer, error) {
	if k.Fulcio == "" || k.Token == nil {
		return nil, errors.New("make keyless signer: the URL of Fulcio and a source of identity tokens are needed")
	}
	if err := services.check(); err != nil {
		return nil, err
	}
	timed := len(services.TimestampAuthorities) > 0
	for _, l := range services.Logs {
		timed = timed || l.Version == 1
	}
	if !timed {
		return nil, errors.New("make keyless signer: without a timestamp authority or a Rekor log of version 1, signatures cannot be verified after the certificate expires; set one")
	}
	pair, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		return nil, fmt.Errorf("make keyless signer: %w", err)
	}
	answers := &status{next: services.Transport}
	return &Signer{keypair: pair, services: services, cert: &certificate{
		fulcio: sign.NewFulcio(&sign.FulcioOptions{BaseURL: k.Fulcio, Retries: services.Retries, Transport: answers}),
		url:    k.Fulcio, token: k.Token, status: answers,
	}}, nil
}

func (s Services) check() error {
	for _, l := range s.Logs {
		if l.URL == "" || l.Version != 1 && l.Version != 2 {
			return fmt.Errorf("make signer: transparency log %q has version %d; supported are 1 and 2", l.URL, l.Version)
		}
	}
	return nil
}

// PublicKey returns the key that verifies the signer's signatures; nil for an identity.
func (s *Signer) PublicKey() *PublicKey { return s.public }

// sign signs the content and records the signature.
func (s *Signer) sign(ctx context.Context, content sign.Content) (*protobundle.Bundle, error) {
	o := sign.BundleOptions{Context: ctx}
	if s.cert != nil {
		o.CertificateProvider = s.cert
	}
	for _, url := range s.services.TimestampAuthorities {
		o.TimestampAuthorities = append(o.TimestampAuthorities, s.authority(url))
	}
	for _, l := range s.services.Logs {
		o.TransparencyLogs = append(o.TransparencyLogs, sign.NewRekor(&sign.RekorOptions{
			BaseURL: l.URL, Version: l.Version, Retries: s.services.Retries,
		}))
	}
	b, err := sign.Bundle(content, s.keypair, o)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (s *Signer) authority(url string) *sign.TimestampAuthority {
	return sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{
		URL: url, Retries: s.services.Retries, Transport: s.services.Transport,
	})
}

// stamp returns the first authority's timestamp of the data; nil if there is no authority.
func (s *Signer) stamp(ctx context.Context, data []byte) ([]byte, error) {
	if len(s.services.TimestampAuthorities) == 0 {
		return nil, nil
	}
	return s.authority(s.services.TimestampAuthorities[0]).GetTimestamp(ctx, data)
}
