package attest_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/sigstore/cosign/v2/pkg/cosign"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/sigstore"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

func ecdsaKey(curve elliptic.Curve) func() crypto.PrivateKey {
	return func() crypto.PrivateKey { return must(ecdsa.GenerateKey(curve, rand.Reader)) }
}

func rsaKey(bits int) func() crypto.PrivateKey {
	return func() crypto.PrivateKey { return must(rsa.GenerateKey(rand.Reader, bits)) }
}

// keyKinds are the kinds of keys that cosign imports, and whether a release takes them.
var keyKinds = []struct {
	name     string
	generate func() crypto.PrivateKey
	refused  string
}{
	{"ECDSA P-256", ecdsaKey(elliptic.P256()), ""},
	{"RSA 2048", rsaKey(2048), ""},
	{"RSA 3072", rsaKey(3072), ""},
	{"RSA 4096", rsaKey(4096), ""},
	{"ECDSA P-384", ecdsaKey(elliptic.P384()), "of the kind ECDSA P-384"},
	{"ECDSA P-521", ecdsaKey(elliptic.P521()), "of the kind ECDSA P-521"},
	{"Ed25519", func() crypto.PrivateKey { _, key, err := ed25519.GenerateKey(rand.Reader); return must(key, err) }, "of the kind Ed25519"},
	{"ECDSA P-224", ecdsaKey(elliptic.P224()), "of the kind ECDSA P-224"},
	{"RSA 1024", rsaKey(1024), "of the kind RSA with 1024 bits"},
	{"RSA 2560", rsaKey(2560), "of the kind RSA with 2560 bits"},
}

// imported is a private key in cosign's format, with an empty password.
func imported(t testing.TB, key crypto.PrivateKey) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, must(cryptoutils.MarshalPrivateKeyToPEM(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := cosign.ImportKeyPair(file, func(bool) ([]byte, error) { return nil, nil })
	if err != nil {
		t.Logf("cosign does not import it: %v", err)
		return ""
	}
	if err := os.WriteFile(file, keys.PrivateBytes, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A key that the printed commands could not verify is refused when it is opened, from
// wherever it comes: nothing has been made then.
func TestKeyKinds(t *testing.T) {
	testtool.NotShort(t)
	for _, kind := range keyKinds {
		check := func(t *testing.T, err error) {
			t.Helper()
			if (err == nil) != (kind.refused == "") || err != nil && !strings.Contains(err.Error(), kind.refused) {
				t.Errorf("%v, want %q", err, kind.refused)
			}
		}
		private := kind.generate()
		t.Run(kind.name+" in a file", func(t *testing.T) {
			if file := imported(t, private); file != "" {
				_, err := attest.OpenKey(t.Context(), file, attest.KeyOptions{})
				check(t, err)
			}
		})
		t.Run(kind.name+" in a service", func(t *testing.T) {
			_, err := attest.OpenKey(t.Context(), served(t, must(signature.LoadSignerVerifier(private, crypto.SHA256))), attest.KeyOptions{})
			check(t, err)
		})
	}
}

// What a service makes must be what cosign verifies with the public half.
func TestServiceSignsInItsOwnWay(t *testing.T) {
	p256, other := ecdsaKey(elliptic.P256())(), ecdsaKey(elliptic.P256())()
	rsa2048 := rsaKey(2048)()
	load := func(key crypto.PrivateKey, hash crypto.Hash) signature.SignerVerifier {
		return must(signature.LoadSignerVerifier(key, hash))
	}
	for name, sv := range map[string]signature.SignerVerifier{
		"another hash":        load(p256, crypto.SHA512),
		"another padding":     must(signature.LoadRSAPSSSignerVerifier(rsa2048.(*rsa.PrivateKey), crypto.SHA256, nil)),
		"another hash, RSA":   load(rsa2048, crypto.SHA512),
		"another public half": twoKeys{load(other, crypto.SHA256), p256.(*ecdsa.PrivateKey).Public()},
	} {
		_, err := attest.OpenKey(t.Context(), served(t, sv), attest.KeyOptions{})
		if err == nil || !strings.Contains(err.Error(), "does not verify as in cosign, with its public half") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// twoKeys signs with one key and gives the public half of another.
type twoKeys struct {
	signature.SignerVerifier
	public crypto.PublicKey
}

func (k twoKeys) PublicKey(...signature.PublicKeyOption) (crypto.PublicKey, error) {
	return k.public, nil
}

// served puts a key into a key management service and gives its URI.
func served(t testing.TB, sv signature.SignerVerifier) string {
	t.Helper()
	scheme := strings.ToLower(strings.NewReplacer("/", "", " ", "", ",", "", "-", "", "_", "", "#", "").Replace(t.Name())) + "kms" + strings.ToLower(rand.Text()) + "://"
	kms.AddProvider(scheme, func(context.Context, string, crypto.Hash, ...signature.RPCOption) (kms.SignerVerifier, error) {
		return service{sv}, nil
	})
	return scheme + "key"
}

type service struct{ signature.SignerVerifier }

func (service) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errors.ErrUnsupported
}
func (service) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.ErrUnsupported
}
func (service) SupportedAlgorithms() []string { return nil }
func (service) DefaultAlgorithm() string      { return "" }

// Both stock clients verify all that a key signs which is taken; of what the others would
// sign, one of them refuses something.
func TestKeyKindsWithStockCosign(t *testing.T) {
	testtool.OnRequest(t, "cosign 2 and 3")
	for _, kind := range keyKinds {
		t.Run(kind.name, func(t *testing.T) {
			private := kind.generate()
			sv, err := signature.LoadDefaultSignerVerifier(private, options.WithED25519ph())
			var key *attest.Key
			if err == nil {
				key, err = sigstore.AnyKey(sv)
			}
			if err != nil {
				if kind.refused == "" {
					t.Error(err)
				}
				return // nothing signs with it
			}
			signer := must(attest.NewSigner(key, attest.Services{}))
			dir := t.TempDir()
			write := func(name string, b []byte) string {
				file := filepath.Join(dir, name)
				if err := os.WriteFile(file, b, 0o600); err != nil {
					t.Fatal(err)
				}
				return file
			}
			flags := []string{"--key=" + write("key.pub", key.Public().PEM()), "--insecure-ignore-tlog=true", "--trusted-root=" + write("root.json", []byte(emptyRoot))}
			var commands [][]string
			for _, f := range forms {
				repo := newRegistry(t)
				r := newRelease(t, repo.Name())
				r.push(t, repo, r.sign(t, signer, attest.Options{Forms: f}))
				ref := repo.Digest(r.subjects[0].Descriptor.Digest.String()).Name()
				commands = append(commands, append(append([]string{"verify"}, flags...), ref),
					append(append([]string{"verify-attestation", "--type=" + attest.ProvenanceType}, flags...), ref))
			}
			blob := []byte("0000  api.tar.gz\n")
			bundle := must(attest.SignBlob(t.Context(), signer, blob))
			commands = append(commands, append(append([]string{"verify-blob", "--bundle=" + write("blob.json", bundle)}, flags...), write("checksums.txt", blob)))
			var failed []string
			for _, c := range sigstoretest.Cosigns {
				program := c.Build(t)
				for _, command := range commands {
					if out, err := sigstoretest.Command(t, program, command...); err != nil {
						failed = append(failed, "cosign "+c.Version+" "+command[0]+": "+strings.TrimSpace(out))
					}
				}
			}
			if kind.refused == "" && len(failed) > 0 {
				t.Errorf("it is taken, and %s", strings.Join(failed, "\n"))
			}
			if kind.refused != "" && len(failed) == 0 {
				t.Error("it is refused, and both clients verify all of it")
			}
			t.Logf("%d of %d commands fail", len(failed), 2*len(commands))
		})
	}
}
