package attest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	fulciocert "github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// Identity returns the identity in a keyless signer's certificate, which it requests if there
// is none yet. For the signer of a key it returns an error.
func (s *Signer) Identity(ctx context.Context) (Identity, error) {
	cert, err := s.certificate(ctx)
	if err != nil {
		return Identity{}, fmt.Errorf("find the signer's identity: %w", err)
	}
	summary, err := fulciocert.SummarizeCertificate(cert)
	if err != nil {
		return Identity{}, fmt.Errorf("find the signer's identity: %w", err)
	}
	return Identity{Subject: summary.SubjectAlternativeName, Issuer: summary.Issuer}, nil
}

// CheckCertificate checks whether this trust would accept the certificate of a keyless signer:
// its chain, and its entry in a certificate transparency log.
func (t Trust) CheckCertificate(ctx context.Context, s *Signer) error {
	if t.TrustedRoot == nil {
		return errors.New("check the signer's certificate: there is no trusted root to verify it with")
	}
	cert, err := s.certificate(ctx)
	if err != nil {
		return fmt.Errorf("check the signer's certificate: %w", err)
	}
	chains, err := verify.VerifyLeafCertificate(cert.NotBefore, cert, t.TrustedRoot)
	if err != nil {
		return errors.New("check the signer's certificate: its chain does not end in the trusted root")
	}
	if t.AllowNoSCT {
		return nil
	}
	if err := verify.VerifySignedCertificateTimestamp(chains, 1, t.TrustedRoot); err != nil {
		return fmt.Errorf("check the signer's certificate: it has no entry of a trusted certificate transparency log: %w", err)
	}
	return nil
}

func (s *Signer) certificate(ctx context.Context) (*x509.Certificate, error) {
	if s.cert == nil {
		return nil, errors.New("it is a key")
	}
	der, err := s.cert.GetCertificate(ctx, s.keypair, nil)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
