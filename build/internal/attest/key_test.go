package attest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/thimble-build/thimble/build/internal/attest"
)

var (
	emptyImage = empty.Image
	noRoot     = &root.BaseTrustedMaterial{}
)

func readAll(r io.ReadCloser) []byte {
	defer r.Close()
	return must(io.ReadAll(r))
}

// What cannot be opened is refused in one line that says why.
func TestOpenKeyErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private, public, err := attest.GenerateKey([]byte("right"))
	if err != nil {
		t.Fatal(err)
	}
	plain := must(x509.MarshalPKCS8PrivateKey(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))))
	foreign := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain})

	block, _ := pem.Decode(private)
	block.Bytes = block.Bytes[:len(block.Bytes)/2]

	tests := []struct{ name, ref, want string }{
		{"no key", "", "no key is given"},
		{"missing", filepath.Join(dir, "absent.key"), "no such file"},
		{"a folder", dir, "is a directory"},
		{"no PEM", write("text", []byte("hello")), "not a PEM file"},
		{"public", write("cosign.pub", public), "this is a public key"},
		{"foreign", write("other.key", foreign), `type "PRIVATE KEY", not of cosign's format`},
		{"damaged", write("damaged.key", pem.EncodeToMemory(block)), "damaged"},
		{"wrong password", write("cosign.key", private), "the password is wrong"},
		{"variable", "env://ABSENT", "the variable ABSENT is not set"},
		{"unknown scheme", "s3://bucket/key", `unknown scheme "s3"`},
		{"aws", "awskms:///alias/key", `import _ "github.com/sigstore/sigstore/pkg/signature/kms/aws"`},
		{"gcp", "gcpkms://projects/p", `import _ "github.com/sigstore/sigstore/pkg/signature/kms/gcp"`},
		{"azure", "azurekms://v/k", `import _ "github.com/sigstore/sigstore/pkg/signature/kms/azure"`},
		{"vault", "hashivault://k", `import _ "github.com/sigstore/sigstore/pkg/signature/kms/hashivault"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := attest.OpenKey(t.Context(), test.ref, attest.KeyOptions{
				Password:  func() ([]byte, error) { return []byte("wrong"), nil },
				LookupEnv: func(string) (string, bool) { return "", false },
			})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one line with %q", err, test.want)
			}
			if errors.Is(err, attest.ErrPassword) != (test.name == "wrong password") || errors.Is(err, fs.ErrNotExist) != (test.name == "missing") {
				t.Errorf("%v is of the wrong kind", err)
			}
		})
	}
}

// A development key signs for itself, and no two are the same.
func TestNewDevelopmentKey(t *testing.T) {
	blob := []byte("checksums")
	var trust [2]attest.Trust
	var bundle []byte
	for i := range trust {
		key := must(attest.NewDevelopmentKey())
		trust[i].Keys = []*attest.PublicKey{key.Public()}
		bundle = must(attest.SignBlob(t.Context(), must(attest.NewSigner(key, attest.Services{})), blob))
	}
	if _, err := attest.VerifyBlob(blob, bundle, trust[1]); err != nil {
		t.Error(err)
	}
	if _, err := attest.VerifyBlob(blob, bundle, trust[0]); err == nil {
		t.Error("two development keys are one")
	}
}

// A key that is given in place of its name does not get into an error.
func TestOpenKeyText(t *testing.T) {
	private, _, err := attest.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = attest.OpenKey(t.Context(), string(private), attest.KeyOptions{})
	if err == nil || strings.Contains(err.Error(), "BEGIN") || !strings.Contains(err.Error(), "env://NAME") {
		t.Error(err)
	}
}

// A password that cannot be had is an error of its own.
func TestOpenKeyPassword(t *testing.T) {
	private, _, err := attest.GenerateKey([]byte("right"))
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("no terminal")
	_, err = attest.OpenKey(context.Background(), "env://KEY", attest.KeyOptions{
		Password:  func() ([]byte, error) { return nil, cause },
		LookupEnv: func(string) (string, bool) { return string(private), true },
	})
	if !errors.Is(err, cause) || errors.Is(err, attest.ErrPassword) {
		t.Error(err)
	}
}

func TestParsePublicKey(t *testing.T) {
	private, public, err := attest.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := attest.ParsePublicKey(public)
	if err != nil || string(key.PEM()) != string(public) {
		t.Errorf("%s, %v", key.PEM(), err)
	}
	if _, err := attest.ParsePublicKey(private); err == nil || !strings.Contains(err.Error(), "this is a private key") {
		t.Error(err)
	}
	if _, err := attest.ParsePublicKey([]byte("x")); err == nil || !strings.Contains(err.Error(), "not a PEM file") {
		t.Error(err)
	}
}
