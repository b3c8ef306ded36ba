package sigstore

import (
	"context"

	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// signer signs with one key, or with one identity.
type signer struct {
	keypair  sign.Keypair
	cert     *certificate // of an identity
	services attest.Services
}

// KeySigner makes the signer of a key.
func (Library) KeySigner(key *attest.Key, services attest.Services) attest.Cryptography {
	return &signer{keypair: key.Pair.(sign.Keypair), services: services}
}

// KeylessSigner makes the signer of an identity.
func (Library) KeylessSigner(k attest.Keyless, services attest.Services) (attest.Cryptography, error) {
	pair, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		return nil, err
	}
	answers := &status{next: services.Transport}
	return &signer{keypair: pair, services: services, cert: &certificate{
		fulcio: sign.NewFulcio(&sign.FulcioOptions{BaseURL: k.Fulcio, Retries: services.Retries,
			Transport: answers}),
		url: k.Fulcio, token: k.Token, status: answers,
	}}, nil
}

// Message signs data and records the signature.
func (s *signer) Message(ctx context.Context, data []byte) (attest.Bundle, error) {
	return s.sign(ctx, &sign.PlainData{Data: data})
}

// Statement signs a statement and records the signature.
func (s *signer) Statement(ctx context.Context, statement []byte) (attest.Bundle, error) {
	return s.sign(ctx, &sign.DSSEData{Data: statement, PayloadType: attest.PayloadType})
}

func (s *signer) sign(ctx context.Context, content sign.Content) (attest.Bundle, error) {
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
	return document{b}, nil
}

func (s *signer) authority(url string) *sign.TimestampAuthority {
	return sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{
		URL: url, Retries: s.services.Retries, Transport: s.services.Transport,
	})
}

// Stamp returns the first authority's timestamp of the data; nil if there is no authority.
func (s *signer) Stamp(ctx context.Context, data []byte) ([]byte, error) {
	if len(s.services.TimestampAuthorities) == 0 {
		return nil, nil
	}
	return s.authority(s.services.TimestampAuthorities[0]).GetTimestamp(ctx, data)
}
