package sigstore

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/sigstore/cosign/v2/pkg/cosign"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// GenerateKey makes an ECDSA P-256 key pair, the private key in cosign's format.
func (Library) GenerateKey(password []byte) (private, public []byte, err error) {
	keys, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return password, nil })
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	return keys.PrivateBytes, keys.PublicBytes, nil
}

// DevelopmentKey makes an ECDSA P-256 key that exists only in this process.
func (Library) DevelopmentKey() (*attest.Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	sv, err := signature.LoadECDSASignerVerifier(private, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return newKey(sv)
}

// ParsePublicKey reads a public key in PEM.
func (Library) ParsePublicKey(pemBytes []byte) (*attest.PublicKey, error) {
	key, err := cryptoutils.UnmarshalPEMToPublicKey(pemBytes)
	if err != nil {
		return nil, fmt.Errorf("parse public key: not a PEM file with a public key, as cosign.pub is: %w",
			err)
	}
	return newPublicKey(key)
}

func newPublicKey(key crypto.PublicKey) (*attest.PublicKey, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	public := &attest.PublicKey{Key: key, DER: der}
	if _, err := verifierOf(public); err != nil {
		return nil, fmt.Errorf("parse public key: keys of the kind %s are not supported: %w", public.Kind(),
			err)
	}
	return public, nil
}

func verifierOf(key *attest.PublicKey) (signature.Verifier, error) {
	return signature.LoadDefaultVerifier(key.Key, options.WithED25519ph())
}

// DecryptKey decrypts a key in cosign's format.
func (Library) DecryptKey(b []byte, password func() ([]byte, error)) (*attest.Key, error) {
	block, _ := pem.Decode(b)
	switch {
	case block == nil:
		return nil, errors.New("this is not a PEM file, as cosign's private keys are")
	case block.Type == "PUBLIC KEY":
		return nil, errors.New("this is a public key; signing takes the private half, such as cosign.key")
	case block.Type != cosign.SigstorePrivateKeyPemType && block.Type != cosign.CosignPrivateKeyPemType:
		return nil, fmt.Errorf(
			`this is a PEM file of type %q, not of cosign's format; "cosign import-key-pair --key FILE" `+
				`converts it`, block.Type)
	}
	var secret []byte
	if password != nil {
		var err error
		if secret, err = password(); err != nil {
			return nil, fmt.Errorf("ask for the password: %w", err)
		}
	}
	sv, err := cosign.LoadPrivateKey(b, secret, nil)
	switch {
	case err != nil && strings.Contains(err.Error(), "decryption failed"):
		return nil, fmt.Errorf("%w (COSIGN_PASSWORD, or the prompt)", attest.ErrPassword)
	case err != nil:
		return nil, fmt.Errorf("the file is damaged: %w", err)
	}
	return newKey(sv)
}

// newKey returns a key after a check that standard clients verify its signatures.
func newKey(sv signature.SignerVerifier) (*attest.Key, error) {
	key, err := AnyKey(sv)
	if err == nil {
		err = key.Public().Verifiable()
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

// AnyKey returns a key of any kind, also of one that clients cannot verify.
func AnyKey(sv signature.SignerVerifier) (*attest.Key, error) {
	pub, err := sv.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("read the public half: %w", err)
	}
	public, err := newPublicKey(pub)
	if err != nil {
		return nil, err
	}
	details, err := signature.GetDefaultAlgorithmDetails(pub, options.WithED25519ph())
	if err != nil {
		return nil, fmt.Errorf("this kind of key cannot sign here: %w", err)
	}
	return attest.NewKey(&keypair{signer: sv, public: public, details: details}, public), nil
}

// keypair makes a key the Keypair that sigstore-go signs with.
type keypair struct {
	signer  signature.Signer
	public  *attest.PublicKey
	details signature.AlgorithmDetails
}

func (k *keypair) GetHashAlgorithm() protocommon.HashAlgorithm { return k.details.GetProtoHashType() }

func (k *keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return k.details.GetSignatureAlgorithm()
}

// GetHint returns the key hint that cosign writes into a bundle: the key's SHA-256 in base64.
func (k *keypair) GetHint() []byte {
	sum := sha256.Sum256(k.public.DER)
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}

func (k *keypair) GetKeyAlgorithm() string {
	switch k.details.GetKeyType() {
	case signature.ECDSA:
		return "ECDSA"
	case signature.RSA:
		return "RSA"
	case signature.ED25519:
		return "ED25519"
	}
	return ""
}

func (k *keypair) GetPublicKey() crypto.PublicKey { return k.public.Key }

func (k *keypair) GetPublicKeyPem() (string, error) { return string(k.public.PEM()), nil }

// SignData returns the signature of data, and data's digest.
func (k *keypair) SignData(ctx context.Context, data []byte) (sig, digest []byte, err error) {
	sig, err = k.signer.SignMessage(bytes.NewReader(data), options.WithContext(ctx))
	if err != nil {
		return nil, nil, fmt.Errorf("sign with the key: %w", err)
	}
	h := cmp.Or(k.details.GetHashType(), crypto.SHA256).New()
	h.Write(data)
	return sig, h.Sum(nil), nil
}
