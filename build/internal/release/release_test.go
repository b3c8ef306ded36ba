package release_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/release"
	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	_ "github.com/thimble-build/thimble/build/internal/sigstore"
	"github.com/thimble-build/thimble/build/plan"
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sample is an image for two platforms, as another process would have left it.
func sample(t *testing.T, repository string) (*plan.Plan, []artifact.Index, []artifact.Described) {
	t.Helper()
	p := &plan.Plan{
		Kit: plan.Kit{Path: "github.com/thimble-build/thimble", Version: "v0.1.0"}, Module: plan.Module{Path: "example.com/acme/api", Dir: "."},
		Version: "v1.2.3", Revision: strings.Repeat("ab", 20), SourceDateEpoch: 1767323045, Source: "https://github.com/acme/api",
		Toolchain: plan.Toolchain{Version: "go1.26.8"},
		Platforms: []plan.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}},
		Images:    []plan.Image{{Name: "api", Package: "example.com/acme/api", Repository: repository, Tags: []string{"v1.2.3"}, Base: plan.BaseScratch}},
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var described []artifact.Described
	for _, platform := range p.Platforms {
		img, err := random.Image(100, 1)
		ok(t, err)
		img = mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.OCIConfigJSON)
		d, err := partial.Descriptor(img)
		ok(t, err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: platform.OS, Architecture: platform.Architecture},
		}})
		binary := []byte(platform.String())
		h1, h256, h512 := sha1.Sum(binary), sha256.Sum256(binary), sha512.Sum512(binary)
		contents := sbom.Input{
			Plan: p, Image: p.Images[0], Platform: platform,
			Main:    sbom.Module{Path: p.Module.Path, Version: "v1.2.3"},
			Modules: []sbom.Module{{Path: "github.com/BurntSushi/toml", Version: "v1.4.0", Sum: "h1:" + base64.StdEncoding.EncodeToString(make([]byte, 32))}},
			Std:     sbom.Module{Path: "std", Version: p.Toolchain.Version},
		}
		whole := contents
		whole.Binary = sbom.Binary{
			Path: "/app/api", Name: "api", Size: int64(len(binary)),
			SHA1: hex.EncodeToString(h1[:]), SHA256: hex.EncodeToString(h256[:]), SHA512: hex.EncodeToString(h512[:]),
		}
		out := artifact.Described{Image: "api", Descriptor: *d, Binary: whole.Binary.SHA256, Contents: contents}
		out.SPDX, err = sbom.SPDX(whole)
		ok(t, err)
		out.CycloneDX, err = sbom.CycloneDX(whole)
		ok(t, err)
		described = append(described, out)
	}
	d, err := partial.Descriptor(index)
	ok(t, err)
	text, err := json.Marshal(described)
	ok(t, err)
	var read []artifact.Described
	ok(t, json.Unmarshal(text, &read))
	return p, []artifact.Index{{Image: p.Images[0], Descriptor: *d, V1: index}}, read
}

// open is a session with a key, and without the credentials of whoever runs the test.
func open(t *testing.T) *session.Session {
	t.Helper()
	dir := t.TempDir()
	key, _, err := attest.GenerateKey([]byte("secret"))
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(dir, "cosign.key"), key, 0o600))
	s, err := session.Open(t.Context(), session.Settings{
		Config:  plan.Config{Release: plan.ReleaseConfig{Key: "cosign.key", MovingTags: []string{"latest"}}},
		Workdir: dir, Cache: filepath.Join(dir, "cache"), Env: []string{"COSIGN_PASSWORD=secret", "HOME=" + dir, "DOCKER_CONFIG=" + dir},
	})
	ok(t, err)
	return s
}

// all is a release from values alone.
func all(t *testing.T, s *session.Session, p *plan.Plan, indexes []artifact.Index, described []artifact.Described) (release.Receipt, release.Uploads, bool, error) {
	t.Helper()
	to, signer, err := release.Preflight(t.Context(), s, p)
	ok(t, err)
	t.Cleanup(to.Close)
	uploads, err := to.Uploads(t.Context(), indexes)
	ok(t, err)
	images, err := release.Statements(s, p, release.Run{TestsSkipped: true}, indexes, described)
	ok(t, err)
	ok(t, release.Push(t.Context(), s, uploads))
	signed, err := release.Sign(t.Context(), s, p, signer, uploads, images)
	ok(t, err)
	receipt, err := release.Verify(t.Context(), s, p, signer, signed)
	ok(t, err)
	moved, err := release.Tag(t.Context(), uploads)
	return receipt, uploads, moved, err
}

// What is left as data is pushed, signed, verified and tagged by a process that built nothing;
// once more, and nothing is written.
func TestRelease(t *testing.T) {
	proxy, host := registrytest.Before(t, registrytest.InProcess(t, true))
	s := open(t)
	p, indexes, described := sample(t, host+"/acme/api")
	receipt, _, moved, err := all(t, s, p, indexes, described)
	ok(t, err)
	if !moved {
		t.Error("no tag was moved")
	}
	// In two forms, about an index and two platforms: a signature; and provenance, tests, the
	// release, and two SBOMs of each platform, which the index has as well.
	if len(receipt.Signatures) != 2*3 || len(receipt.Attestations) != 2*(3*3+2*2*2) {
		t.Errorf("%d signatures and %d attestations were verified", len(receipt.Signatures), len(receipt.Attestations))
	}
	for _, of := range receipt.Signatures {
		if of.Repository != host+"/acme/api" || !strings.HasPrefix(of.Signer, "by key ") {
			t.Errorf("%+v", of)
		}
	}
	writes := proxy.Requests(http.MethodPut)
	for i, tag := range []string{"v1.2.3", "latest"} {
		if got, want := writes[len(writes)-2+i], "PUT /v2/acme/api/manifests/"+tag; got != want {
			t.Errorf("at the end there is %q, want %q", got, want)
		}
	}
	proxy.Forget()
	_, _, _, err = all(t, s, p, indexes, described)
	ok(t, err)
	if again := proxy.Requests(http.MethodPut, http.MethodPatch); len(again) > 0 {
		t.Errorf("the second time it writes %q", again)
	}

	// A version is released once: another image under its tag is refused before a push.
	_, others, _ := sample(t, host+"/acme/api")
	to, _, err := release.Preflight(t.Context(), s, p)
	ok(t, err)
	defer to.Close()
	if _, err := to.Uploads(t.Context(), others); err == nil || !strings.Contains(err.Error(), "acme/api:v1.2.3: it points to "+indexes[0].Descriptor.Digest.String()+" already") {
		t.Errorf("another image: %v", err)
	}
	// What makes the tree dirty beside the compiler changes the tags: they are looked up.
	others[0].Image.Tags = []string{"v1.2.3-dirty"}
	uploads, err := to.Uploads(t.Context(), others)
	ok(t, err)
	var tags []string
	for _, tag := range uploads[0].Tags {
		tags = append(tags, tag.Name)
	}
	if !slices.Equal(tags, []string{"v1.2.3-dirty", "latest"}) {
		t.Errorf("the tags are %q", tags)
	}
}

// An error says whether tags were moved, and what is public by then.
func TestPublic(t *testing.T) {
	proxy, host := registrytest.Before(t, registrytest.InProcess(t, true))
	for tag, want := range map[string]string{"v1.2.3": "; no tag was moved, ", "latest": "; " + host + "/latest@"} {
		s := open(t)
		p, indexes, described := sample(t, host+"/"+tag)
		proxy.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool {
			refused := r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/"+tag)
			if refused {
				w.WriteHeader(http.StatusForbidden)
			}
			return refused
		})
		_, uploads, moved, err := all(t, s, p, indexes, described)
		if err == nil || moved != (tag == "latest") {
			t.Fatalf("%s: moved is %v: %v", tag, moved, err)
		}
		if text := uploads.Public(err, moved).Error(); !strings.Contains(text, want) || !strings.HasSuffix(text, "; run it again to continue") || !strings.Contains(text, indexes[0].Descriptor.Digest.String()) {
			t.Errorf("%s: %s", tag, text)
		}
	}
	if err := (release.Uploads{}).Public(http.ErrAbortHandler, false); err != http.ErrAbortHandler {
		t.Errorf("without a repository: %v", err)
	}
}

// notices are those of a session.
type notices []string

func (n *notices) Start(string) func(string, error) { return func(string, error) {} }
func (n *notices) Notice(text string)               { *n = append(*n, text) }

// A layout is read once for all that is signed in it, and what is wrong with it is said once.
func TestSignDamagedLayout(t *testing.T) {
	var said notices
	s := open(t).WithProgress(&said)
	p, indexes, described := sample(t, "")
	_, signer, err := release.Preflight(t.Context(), s, p)
	ok(t, err)
	images, err := release.Statements(s, p, release.Run{TestsSkipped: true}, indexes, described)
	ok(t, err)
	dir := filepath.Join(s.Dist, "oci", "api")
	ok(t, os.MkdirAll(dir, 0o755))
	ok(t, os.WriteFile(filepath.Join(dir, "index.json"), []byte(`{"manifests":[{"mediaType":"`+string(types.OCIManifestSchema1)+
		`","size":2,"digest":"sha256:`+strings.Repeat("a", 64)+`"}]}`), 0o644))
	said = nil
	layouts, err := release.SignLayouts(t.Context(), s, p, signer, images)
	ok(t, err)
	if len(layouts) != 1 || len(layouts[0].Referrers) == 0 {
		t.Errorf("%+v", layouts)
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "api is signed again: read layout ") || !strings.Contains(said[0], "is not in the layout") {
		t.Errorf("the notices are %q", said)
	}
}

// Without a repository and a key, a key is made, and the images are signed beside their layouts.
func TestSignLayouts(t *testing.T) {
	s := open(t)
	s.Config.Release.Key = ""
	p, indexes, described := sample(t, "")
	to, signer, err := release.Preflight(t.Context(), s, p)
	ok(t, err)
	if len(to) > 0 || len(signer.Trust.Keys) != 1 {
		t.Errorf("%d repositories, %d keys", len(to), len(signer.Trust.Keys))
	}
	images, err := release.Statements(s, p, release.Run{TestsSkipped: true}, indexes, described)
	ok(t, err)
	for forms, beside := range map[attest.Form]int{attest.Bundles: 2*6 + 8, attest.Tags: 2 * 3} {
		signer := signing.Signer{Signer: signer.Signer, Trust: signer.Trust, Forms: []attest.Form{forms}}
		layouts, err := release.SignLayouts(t.Context(), s, p, signer, images)
		ok(t, err)
		if len(layouts) != 1 || layouts[0].Image != "api" || len(layouts[0].Referrers) != beside {
			t.Errorf("%s: %d layouts, with %d beside", forms, len(layouts), len(layouts[0].Referrers))
		}
	}
}
