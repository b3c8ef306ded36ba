package sigstore

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	fulciocert "github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// Identity returns the identity in the certificate, which it requests if there is none yet.
func (s *signer) Identity(ctx context.Context) (attest.Identity, error) {
	cert, err := s.certificate(ctx)
	if err != nil {
		return attest.Identity{}, fmt.Errorf("find the signer's identity: %w", err)
	}
	summary, err := fulciocert.SummarizeCertificate(cert)
	if err != nil {
		return attest.Identity{}, fmt.Errorf("find the signer's identity: %w", err)
	}
	return attest.Identity{Subject: summary.SubjectAlternativeName, Issuer: summary.Issuer}, nil
}

// CheckCertificate checks whether a trust would accept the certificate: its chain, and its entry
// in a certificate transparency log.
func (s *signer) CheckCertificate(ctx context.Context, t attest.Trust) error {
	cert, err := s.certificate(ctx)
	if err != nil {
		return fmt.Errorf("check the signer's certificate: %w", err)
	}
	root := rootOf(t)
	chains, err := verify.VerifyLeafCertificate(cert.NotBefore, cert, root)
	if err != nil {
		return errors.New("check the signer's certificate: its chain does not end in the trusted root")
	}
	if t.AllowNoSCT {
		return nil
	}
	if err := verify.VerifySignedCertificateTimestamp(chains, 1, root); err != nil {
		return fmt.Errorf(
			"check the signer's certificate: it has no entry of a trusted certificate transparency log: %w",
			err)
	}
	return nil
}

func (s *signer) certificate(ctx context.Context) (*x509.Certificate, error) {
	if s.cert == nil {
		return nil, errors.New("it is a key")
	}
	der, err := s.cert.GetCertificate(ctx, s.keypair, nil)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
