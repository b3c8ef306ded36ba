package build_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// A new key signs all of a release that the old one has signed, in each form, although Config
// trusts the old one too; and what the old one has signed stays.
func TestAnotherKey(t *testing.T) {
	t.Parallel()
	all := testtool.Part(t, "it releases several times")
	old, key := newServedKey(t), newServedKey(t)
	repo := module(t, "hello")
	stranger := settings{Options: build.Options{Workdir: t.TempDir(), Env: environment()}}
	for name, forms := range map[string][]string{"both": nil, "bundle": {"bundle"}, "tag": {"tag"}} {
		if name != "both" && !all {
			continue
		}
		host := registrytest.InProcess(t, false)
		o := options(t, repo, to(host, old), func(o *settings) { o.Config.Release.Forms = forms })
		_, err := build.Release(t.Context(), o.release())
		ok(t, err)
		o.Config.Release.Key, o.Config.Release.TrustKeys = key, []string{publicOf(old)}
		r, err := build.Release(t.Context(), o.release())
		ok(t, err)
		found := inventory(t, host+"/acme/hello", digestsOf(r)...)
		for what, n := range planned(r) {
			if _, form, _ := strings.Cut(what, " "); name != "both" && !strings.HasPrefix(form, name) {
				n = 0
			}
			if found[what] != 2*n {
				t.Errorf("%s: the registry has %d of %s, want %d by each key", name, found[what], what, n)
			}
		}
		archives := filepath.Join(r.Dist, "archives")
		sums, bundle := must(os.ReadFile(filepath.Join(archives, "checksums.txt"))), must(os.ReadFile(filepath.Join(archives, "checksums.txt.sigstore.json")))
		public := must(attest.ParsePublicKey(must(os.ReadFile(publicOf(key)))))
		if _, err := attest.VerifyBlob(sums, bundle, attest.Trust{Keys: []*attest.PublicKey{public}}); err != nil {
			t.Errorf("%s: the checksums are not signed by the new key: %v", name, err)
		}
		for _, k := range []string{old, key} {
			if report, err := build.Verify(t.Context(), verifying(stranger.Options, build.VerifyOptions{Keys: []string{publicOf(k)}}), host+"/acme/hello:v1.2.3"); err != nil {
				t.Errorf("%s: %v %+v", name, err, report)
			}
		}
	}
}

// A key with which stock clients verify nothing is refused before anything is made, also
// where a service holds it, or Config trusts it besides.
func TestKeysThatNobodyVerifies(t *testing.T) {
	t.Parallel()
	host := registrytest.InProcess(t, false)
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	file := filepath.Join(t.TempDir(), "p384.key")
	ok(t, os.WriteFile(file, must(cryptoutils.MarshalPrivateKeyToPEM(p384)), 0o600))
	ok(t, os.WriteFile(publicOf(file), must(cryptoutils.MarshalPublicKeyToPEM(p384.Public())), 0o600))
	for what, change := range map[string]func(*settings){
		"a service's key": func(o *settings) { o.Config.Release.Key = keyService + file },
		"a trusted key":   func(o *settings) { o.Config.Release.TrustKeys = []string{publicOf(file)} },
	} {
		said := &notices{}
		o := options(t, module(t, "hello"), to(host, newServedKey(t)), change)
		o.Progress = said
		_, err := build.Release(t.Context(), o.release())
		refused(t, err, "of the kind ECDSA P-384", `"mage keys"`)
		if made := append(said.with("stage compile"), said.with("stage push")...); len(made) > 0 {
			t.Errorf("%s: it is refused after %q", what, made)
		}
	}
}
