package build_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"
)

// keyService is the scheme of a key management service whose keys are files. Its
// provider is linked by an import, as that of a real one is in a magefile.
const keyService = "testkms://"

func init() {
	kms.AddProvider(keyService, func(_ context.Context, ref string, hash crypto.Hash, _ ...signature.RPCOption) (kms.SignerVerifier, error) {
		sv, err := signature.LoadSignerVerifierFromPEMFile(strings.TrimPrefix(ref, keyService), hash, nil)
		return servedKey{sv}, err
	})
}

// servedKey is a key of the service: it signs, and nothing more is asked of it.
type servedKey struct{ signature.SignerVerifier }

func (servedKey) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errors.ErrUnsupported
}

func (servedKey) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.ErrUnsupported
}
func (servedKey) SupportedAlgorithms() []string { return nil }
func (servedKey) DefaultAlgorithm() string      { return "" }

// newServedKey makes a key in the service and gives its URI; its public half is
// publicOf, as for a key in a file. It has no password, and so none to derive a key from.
func newServedKey(t testing.TB) string {
	t.Helper()
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	file := filepath.Join(t.TempDir(), "served.key")
	ok(t, os.WriteFile(file, must(cryptoutils.MarshalPrivateKeyToPEM(private)), 0o600))
	ok(t, os.WriteFile(publicOf(file), must(cryptoutils.MarshalPublicKeyToPEM(private.Public())), 0o600))
	return keyService + file
}
