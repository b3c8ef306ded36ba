package attest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// Verifiable returns an error for a key whose signatures only some clients verify. With --key,
// cosign 2 always hashes with SHA-256; cosign 3 uses the hash for the kind of key; Kyverno and
// policy-controller behave like cosign 2. All agree for ECDSA P-256 and for RSA with PKCS #1
// v1.5.
func (k *PublicKey) Verifiable() error {
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return nil
		}
	case *rsa.PublicKey:
		switch key.N.BitLen() {
		case 2048, 3072, 4096:
			return nil
		}
	}
	return fmt.Errorf(`the key is of the kind %s: cosign 2 and policies for clusters cannot verify its signatures with a public key; use ECDSA P-256, which "mage keys" makes, or RSA with 2048, 3072 or 4096 bits`, kind(k.key))
}

// kind returns a key's algorithm and size.
func kind(key crypto.PublicKey) string {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA with %d bits", key.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", key)
}

// probe lets the key of a service sign something, and verifies it with the public key like
// cosign. A service may use a different hash or padding.
func probe(ctx context.Context, sv signature.Signer, public crypto.PublicKey) error {
	const message = "thimble: does the public half verify this?"
	sig, err := sv.SignMessage(bytes.NewReader([]byte(message)), options.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("sign a probe: %w", err)
	}
	verifier, err := signature.LoadVerifier(public, crypto.SHA256)
	if err != nil {
		return err
	}
	if verifier.VerifySignature(bytes.NewReader(sig), bytes.NewReader([]byte(message))) != nil {
		return errors.New("its signature does not verify as in cosign, with its public half, SHA-256 and, for RSA, PKCS #1 v1.5; use a key for that algorithm")
	}
	return nil
}
