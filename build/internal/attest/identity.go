package attest

import (
	"context"
	"crypto/x509"
	"fmt"

	fulciocert "github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
)

// Identity is whom a keyless signer's certificate names: it is asked for here if there
// is none yet. A key's signer has none, which is an error.
func (s *Signer) Identity(ctx context.Context) (Identity, error) {
	if s.cert == nil {
		return Identity{}, fmt.Errorf("find the signer's identity: it is a key")
	}
	der, err := s.cert.GetCertificate(ctx, s.keypair, nil)
	if err != nil {
		return Identity{}, fmt.Errorf("find the signer's identity: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return Identity{}, fmt.Errorf("find the signer's identity: %w", err)
	}
	summary, err := fulciocert.SummarizeCertificate(cert)
	if err != nil {
		return Identity{}, fmt.Errorf("find the signer's identity: %w", err)
	}
	return Identity{Subject: summary.SubjectAlternativeName, Issuer: summary.Issuer}, nil
}
