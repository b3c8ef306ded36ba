package attest

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
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/sigstore/cosign/v2/pkg/cosign"
)

// ErrPassword is the error of [OpenKey] for a wrong password.
var ErrPassword = errors.New("the password is wrong")

// GenerateKey makes an ECDSA P-256 key pair. The private key is PKCS #8, encrypted with the
// password in cosign's format (PEM type ENCRYPTED SIGSTORE PRIVATE KEY). The public key is PEM.
func GenerateKey(password []byte) (private, public []byte, err error) {
	keys, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return password, nil })
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	return keys.PrivateBytes, keys.PublicBytes, nil
}

// NewDevelopmentKey makes an ECDSA P-256 key that exists only in this process.
func NewDevelopmentKey() (*Key, error) {
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

// PublicKey verifies signatures of its private key.
type PublicKey struct {
	key      crypto.PublicKey
	der      []byte
	verifier signature.Verifier
}

// ParsePublicKey reads a public key in PEM (PKIX), as written by [GenerateKey] and cosign.
func ParsePublicKey(pemBytes []byte) (*PublicKey, error) {
	if block, _ := pem.Decode(pemBytes); block != nil && strings.Contains(block.Type, "PRIVATE KEY") {
		return nil, errors.New("parse public key: this is a private key; give its public half, such as cosign.pub")
	}
	key, err := cryptoutils.UnmarshalPEMToPublicKey(pemBytes)
	if err != nil {
		return nil, fmt.Errorf("parse public key: not a PEM file with a public key, as cosign.pub is: %w", err)
	}
	return newPublicKey(key)
}

func newPublicKey(key crypto.PublicKey) (*PublicKey, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	verifier, err := signature.LoadDefaultVerifier(key, options.WithED25519ph())
	if err != nil {
		return nil, fmt.Errorf("parse public key: keys of the kind %s are not supported: %w", kind(key), err)
	}
	return &PublicKey{key: key, der: der, verifier: verifier}, nil
}

// PEM returns the key in the format of cosign.pub.
func (k *PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.der})
}

// String returns the fingerprint: the SHA-256 of the key in PKIX.
func (k *PublicKey) String() string {
	sum := sha256.Sum256(k.der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Key is a private key that signs: one in memory, or one in a key management service.
type Key struct {
	signer  signature.Signer
	public  *PublicKey
	details signature.AlgorithmDetails
}

// Public returns the public key.
func (k *Key) Public() *PublicKey { return k.public }

// KeyOptions are options of [OpenKey].
type KeyOptions struct {
	// Password returns the password of an encrypted key; nil means an empty one. It is called
	// only after a valid key was found.
	Password func() ([]byte, error)
	// LookupEnv reads variables for env://NAME, like os.LookupEnv.
	LookupEnv func(name string) (string, bool)
}

// providers are the key management services that sigstore supports, with the package of each.
var providers = map[string]string{
	"awskms":     "github.com/sigstore/sigstore/pkg/signature/kms/aws",
	"azurekms":   "github.com/sigstore/sigstore/pkg/signature/kms/azure",
	"gcpkms":     "github.com/sigstore/sigstore/pkg/signature/kms/gcp",
	"hashivault": "github.com/sigstore/sigstore/pkg/signature/kms/hashivault",
}

// OpenKey opens the private key ref: a file, env://NAME for a variable that contains the key,
// or a key of a key management service (awskms://, azurekms://, gcpkms://, hashivault://),
// whose provider the magefile imports. The error for a wrong password is [ErrPassword]. A key
// that is not [PublicKey.Verifiable] is refused.
func OpenKey(ctx context.Context, ref string, o KeyOptions) (*Key, error) {
	if strings.Contains(ref, "-----BEGIN") {
		// The key must not appear in a log.
		return nil, errors.New("open key: this is the text of a key; give the path of its file, or env://NAME for the variable that contains it")
	}
	key, err := openKey(ctx, ref, o)
	if err != nil {
		return nil, fmt.Errorf("open key %s: %w", ref, err)
	}
	return key, nil
}

func openKey(ctx context.Context, ref string, o KeyOptions) (*Key, error) {
	scheme, rest, isURI := strings.Cut(ref, "://")
	switch {
	case ref == "":
		return nil, errors.New("no key is given")
	case !isURI || scheme == "file":
		path := ref
		if isURI {
			path = rest
		}
		b, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf(`no such file; "mage keys" makes a key pair: %w`, fs.ErrNotExist)
		case err != nil:
			return nil, pathCause(err)
		}
		return decryptKey(b, o)
	case scheme == "env":
		if o.LookupEnv == nil {
			return nil, errors.New("keys in the environment are not allowed here")
		}
		value, ok := o.LookupEnv(rest)
		if !ok || value == "" {
			return nil, fmt.Errorf("the variable %s is not set", rest)
		}
		return decryptKey([]byte(value), o)
	}
	return openKMS(ctx, ref, scheme)
}

func openKMS(ctx context.Context, ref, scheme string) (*Key, error) {
	pkg, known := providers[scheme]
	linked := false
	for _, p := range kms.SupportedProviders() {
		linked = linked || strings.HasPrefix(ref, p)
	}
	switch {
	// kms.Get would run a program named after an unknown scheme.
	case !known && !linked:
		return nil, fmt.Errorf("unknown scheme %q; supported are a file's path, env://, awskms://, azurekms://, gcpkms:// and hashivault://", scheme)
	case !linked:
		return nil, fmt.Errorf("the provider of %s:// is not linked; add this import to the magefile: import _ %q", scheme, pkg)
	}
	sv, err := kms.Get(ctx, ref, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	key, err := newKey(sv)
	if err == nil {
		err = probe(ctx, sv, key.public.key)
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

// decryptKey decrypts a key in cosign's format.
func decryptKey(b []byte, o KeyOptions) (*Key, error) {
	block, _ := pem.Decode(b)
	switch {
	case block == nil:
		return nil, errors.New("this is not a PEM file, as cosign's private keys are")
	case block.Type == "PUBLIC KEY":
		return nil, errors.New("this is a public key; signing takes the private half, such as cosign.key")
	case block.Type != cosign.SigstorePrivateKeyPemType && block.Type != cosign.CosignPrivateKeyPemType:
		return nil, fmt.Errorf(`this is a PEM file of type %q, not of cosign's format; "cosign import-key-pair --key FILE" converts it`, block.Type)
	}
	var password []byte
	if o.Password != nil {
		var err error
		if password, err = o.Password(); err != nil {
			return nil, fmt.Errorf("ask for the password: %w", err)
		}
	}
	sv, err := cosign.LoadPrivateKey(b, password, nil)
	switch {
	case err != nil && strings.Contains(err.Error(), "decryption failed"):
		return nil, fmt.Errorf("%w (COSIGN_PASSWORD, or the prompt)", ErrPassword)
	case err != nil:
		return nil, fmt.Errorf("the file is damaged: %w", err)
	}
	return newKey(sv)
}

// newKey returns a key after a check that standard clients verify its signatures.
func newKey(sv signature.SignerVerifier) (*Key, error) {
	key, err := anyKey(sv)
	if err == nil {
		err = key.public.Verifiable()
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

func anyKey(sv signature.SignerVerifier) (*Key, error) {
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
	return &Key{signer: sv, public: public, details: details}, nil
}

// The methods below make a Key the Keypair that sigstore-go signs with.

func (k *Key) GetHashAlgorithm() protocommon.HashAlgorithm { return k.details.GetProtoHashType() }

func (k *Key) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return k.details.GetSignatureAlgorithm()
}

// GetHint returns the key hint that cosign writes into a bundle: the key's SHA-256 in base64.
func (k *Key) GetHint() []byte {
	sum := sha256.Sum256(k.public.der)
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}

func (k *Key) GetKeyAlgorithm() string {
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

func (k *Key) GetPublicKey() crypto.PublicKey { return k.public.key }

func (k *Key) GetPublicKeyPem() (string, error) { return string(k.public.PEM()), nil }

// SignData returns the signature of data, and data's digest.
func (k *Key) SignData(ctx context.Context, data []byte) (sig, digest []byte, err error) {
	sig, err = k.signer.SignMessage(bytes.NewReader(data), options.WithContext(ctx))
	if err != nil {
		return nil, nil, fmt.Errorf("sign with the key: %w", err)
	}
	h := cmp.Or(k.details.GetHashType(), crypto.SHA256).New()
	h.Write(data)
	return sig, h.Sum(nil), nil
}

// pathCause removes the path from an error, because the caller names it.
func pathCause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
