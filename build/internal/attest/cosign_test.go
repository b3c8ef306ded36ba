package attest_test

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
)

// newRegistry gives a repository of a registry on loopback.
func newRegistry(t testing.TB) name.Repository {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return must(name.NewRepository(strings.TrimPrefix(server.URL, "http://") + "/acme/api"))
}

// push writes the index and what Sign made.
func (r *release) push(t testing.TB, repo name.Repository, signed []attest.Signed) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(remote.WriteIndex(repo.Digest(must(r.index.Digest()).String()), r.index))
	for _, s := range signed {
		for _, b := range s.Bundles {
			check(remote.Write(repo.Digest(must(b.Digest()).String()), b))
		}
		if s.Signatures != nil {
			check(remote.Write(repo.Tag(attest.SignatureTag(s.Digest)), s.Signatures))
		}
		if s.Attestations != nil {
			check(remote.Write(repo.Tag(attest.AttestationTag(s.Digest)), s.Attestations))
		}
	}
}

// pull reads everything back.
func (r *release) pull(t testing.TB, repo name.Repository) attest.Evidence {
	t.Helper()
	m := r.material()
	read := func(manifest *attest.Manifest) {
		digest := repo.Digest(manifest.Descriptor.Digest.String())
		manifest.Raw = must(remote.Get(digest)).Manifest
		manifest.Stored = attest.Stored{}
		for _, d := range must(must(remote.Referrers(digest)).IndexManifest()).Manifests {
			img := must(remote.Image(repo.Digest(d.Digest.String())))
			if must(img.Manifest()).ArtifactType == attest.BundleType {
				manifest.Stored.Bundles = append(manifest.Stored.Bundles, img)
			}
		}
		optional := func(tag string) v1.Image {
			img, err := remote.Image(repo.Tag(tag))
			if err != nil {
				return nil
			}
			return img
		}
		manifest.Stored.Signatures = optional(attest.SignatureTag(manifest.Descriptor.Digest))
		manifest.Stored.Attestations = optional(attest.AttestationTag(manifest.Descriptor.Digest))
	}
	read(&m.Root)
	for i := range m.Children {
		read(&m.Children[i])
	}
	return m
}

// emptyRoot is the trusted root that cosign 2 wants for bundles even with a key.
const emptyRoot = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[],"certificateAuthorities":[],"ctlogs":[],"timestampAuthorities":[]}`

// The stock clients verify what a key has signed, in each form, read from a registry;
// and they refuse another key.
func TestStockCosignByKey(t *testing.T) {
	for _, c := range sigstoretest.Cosigns {
		t.Run(c.Version, func(t *testing.T) {
			cosign := c.Build(t)
			dir := t.TempDir()
			write := func(name string, b []byte) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			trustedRoot := write("root.json", []byte(emptyRoot))
			for name, f := range forms {
				signer, public := newKey(t)
				_, other := newKey(t)
				key, otherKey := write("key.pub", public.PEM()), write("other.pub", other.PEM())
				repo := newRegistry(t)
				r := newRelease(t, repo.Name())
				r.push(t, repo, r.sign(t, signer, attest.Options{Forms: f}))
				if _, err := attest.Verify(t.Context(), r.pull(t, repo), policy(public)); err != nil {
					t.Fatalf("%s: read back: %v", name, err)
				}
				flags := []string{"--insecure-ignore-tlog=true"}
				if name == "tags" {
					flags = append(flags, "--new-bundle-format=false")
				} else {
					flags = append(flags, "--new-bundle-format=true", "--trusted-root="+trustedRoot)
				}
				for _, s := range r.subjects {
					ref := repo.Digest(s.Descriptor.Digest.String()).Name()
					run := func(verb, key string, more ...string) (string, error) {
						return sigstoretest.Command(t, cosign, append(append([]string{verb, "--key=" + key}, append(flags, more...)...), ref)...)
					}
					if out, err := run("verify", key); err != nil {
						t.Fatalf("%s: cosign verify %s: %v\n%s", name, ref, err, out)
					}
					for _, st := range s.Statements {
						if out, err := run("verify-attestation", key, "--type="+st.PredicateType); err != nil {
							t.Fatalf("%s: cosign verify-attestation --type=%s: %v\n%s", name, st.PredicateType, err, out)
						}
					}
					if out, err := run("verify", otherKey); err == nil {
						t.Errorf("%s: cosign verify passes with another key\n%s", name, out)
					}
				}
			}
			blob := []byte("0000  api.tar.gz\n")
			signer, public := newKey(t)
			bundle, err := attest.SignBlob(t.Context(), signer, blob)
			if err != nil {
				t.Fatal(err)
			}
			out, err := sigstoretest.Command(t, cosign, "verify-blob", "--key="+write("blob.pub", public.PEM()), "--bundle="+write("blob.json", bundle),
				"--new-bundle-format=true", "--insecure-ignore-tlog=true", "--trusted-root="+trustedRoot, write("checksums.txt", blob))
			if err != nil {
				t.Errorf("cosign verify-blob: %v\n%s", err, out)
			}
		})
	}
}
