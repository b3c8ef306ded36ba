package attest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
)

// Verifiable returns an error for a key whose signatures only some clients verify. With --key,
// cosign 2 always hashes with SHA-256; cosign 3 uses the hash for the kind of key; Kyverno and
// policy-controller behave like cosign 2. All agree for ECDSA P-256 and for RSA with PKCS #1
// v1.5.
func (k *PublicKey) Verifiable() error {
	switch key := k.Key.(type) {
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
	return fmt.Errorf(
		`the key is of the kind %s: cosign 2 and policies for clusters cannot verify its signatures with a `+
			`public key; use ECDSA P-256, which "mage keys" makes, or RSA with 2048, 3072 or 4096 bits`,
		k.Kind())
}

// Kind returns the key's algorithm and size.
func (k *PublicKey) Kind() string {
	switch key := k.Key.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA with %d bits", key.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", k.Key)
}
