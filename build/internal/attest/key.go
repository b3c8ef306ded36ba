package attest

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// ErrPassword is the error of [OpenKey] for a wrong password.
var ErrPassword = errors.New("the password is wrong")

// GenerateKey makes an ECDSA P-256 key pair. The private key is PKCS #8, encrypted with the
// password in cosign's format (PEM type ENCRYPTED SIGSTORE PRIVATE KEY). The public key is PEM.
func GenerateKey(password []byte) (private, public []byte, err error) {
	if err := Linked(); err != nil {
		return nil, nil, err
	}
	return sigstore.GenerateKey(password)
}

// NewDevelopmentKey makes an ECDSA P-256 key that exists only in this process.
func NewDevelopmentKey() (*Key, error) {
	if err := Linked(); err != nil {
		return nil, err
	}
	return sigstore.DevelopmentKey()
}

// PublicKey verifies signatures of its private key.
type PublicKey struct {
	// Key is the key, DER its form in PKIX.
	Key crypto.PublicKey
	DER []byte
}

// ParsePublicKey reads a public key in PEM (PKIX), as written by [GenerateKey] and cosign.
func ParsePublicKey(pemBytes []byte) (*PublicKey, error) {
	if err := Linked(); err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(pemBytes); block != nil && strings.Contains(block.Type, "PRIVATE KEY") {
		return nil, errors.New(
			"parse public key: this is a private key; give its public half, such as cosign.pub")
	}
	return sigstore.ParsePublicKey(pemBytes)
}

// ParseTrustedRoot reads Sigstore's trusted_root.json, for [Trust].
func ParseTrustedRoot(json []byte) (any, error) {
	if err := Linked(); err != nil {
		return nil, err
	}
	return sigstore.ParseTrustedRoot(json)
}

// PEM returns the key in the format of cosign.pub.
func (k *PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.DER})
}

// String returns the fingerprint: the SHA-256 of the key in PKIX.
func (k *PublicKey) String() string {
	sum := sha256.Sum256(k.DER)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Key is a private key that signs: one in memory, or one in a key management service.
type Key struct {
	// Pair is what Sigstore's library signs with.
	Pair   any
	public *PublicKey
}

// NewKey returns a key with its public half.
func NewKey(pair any, public *PublicKey) *Key { return &Key{pair, public} }

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

// OpenKey opens the private key ref: a file, env://NAME for a variable that contains the key,
// or a key of a key management service (awskms://, azurekms://, gcpkms://, hashivault://),
// whose provider the magefiles import. The error for a wrong password is [ErrPassword]. A key
// that is not [PublicKey.Verifiable] is refused.
func OpenKey(ctx context.Context, ref string, o KeyOptions) (*Key, error) {
	if strings.Contains(ref, "-----BEGIN") {
		// The key must not appear in a log.
		return nil, errors.New(
			"open key: this is the text of a key; give the path of its file, or env://NAME for the " +
				"variable that contains it")
	}
	if err := Linked(); err != nil {
		return nil, err
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
		return sigstore.DecryptKey(b, o.Password)
	case scheme == "env":
		if o.LookupEnv == nil {
			return nil, errors.New("keys in the environment are not allowed here")
		}
		value, ok := o.LookupEnv(rest)
		if !ok || value == "" {
			return nil, fmt.Errorf("the variable %s is not set", rest)
		}
		return sigstore.DecryptKey([]byte(value), o.Password)
	}
	return sigstore.ManagedKey(ctx, ref)
}

// pathCause removes the path from an error, because the caller names it.
func pathCause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
