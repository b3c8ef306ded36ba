package build_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// bareSPDX is what a base's own SBOM looks like, as far as anybody here looks.
const bareSPDX = `{"spdxVersion": "SPDX-2.3", "name": "base"}`

// holder is a manifest with one layer, as documents about images are kept.
func holder(t testing.TB, mediaType types.MediaType, annotations map[string]string) v1.Image {
	t.Helper()
	img, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mediaType), mutate.Addendum{
		Layer: static.NewLayer([]byte(bareSPDX), mediaType), MediaType: mediaType, Annotations: annotations,
	})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// A base's own SBOMs are found in every form in which clients leave them beside an image:
// cosign's of both versions, a plain referrer's, and buildkit's. Lock, documents and
// provenance name them by digest.
func TestBaseSBOM(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "cosign")
	for _, kind := range registries[1:] { // without a referrers API
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			baseSBOM(t, kind.start(t))
		})
	}
	t.Run("in process with referrers", func(t *testing.T) {
		t.Parallel()
		baseSBOM(t, registrytest.InProcess(t, true))
	})
}

func baseSBOM(t *testing.T, host string) {
	repo := must(name.NewRepository(host + "/acme/base"))
	base := baseImage(t, "amd64")
	digest := must(base.Digest())
	attested := holder(t, "application/vnd.in-toto+json", map[string]string{"in-toto.io/predicate-type": "https://spdx.dev/Document"})
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: base, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: attested, Descriptor: v1.Descriptor{
			Platform:    &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest.String()},
		}})
	ok(t, remote.WriteIndex(repo.Tag("1"), index))

	o := options(t, helloModule(t), func(o *settings) { o.Config.Defaults.Base = host + "/acme/base:1" })
	locked := must(build.Lock(t.Context(), o.Options))
	pinned := func() (found []string) {
		for _, s := range locked.Lock.Images[0].Platforms[0].SBOMs {
			found = append(found, s.MediaType+" "+s.Digest)
		}
		return found
	}
	if got, want := pinned(), "application/vnd.in-toto+json "+must(attested.Digest()).String(); len(got) != 1 || got[0] != want {
		t.Fatalf("of buildkit's attestation the lock has %q, want %q", got, want)
	}

	// Referrers: one is an SBOM, and one is none.
	subject := must(partial.Descriptor(base))
	for _, mediaType := range []types.MediaType{"application/spdx+json", "application/vnd.example.thing"} {
		referrer := mutate.Subject(holder(t, mediaType, nil), *subject).(v1.Image)
		ok(t, remote.Write(repo.Digest(must(referrer.Digest()).String()), referrer))
	}
	document := filepath.Join(t.TempDir(), "base.spdx.json")
	ok(t, os.WriteFile(document, []byte(bareSPDX), 0o644))
	key, at := newKey(t), repo.Name()+"@"+digest.String()
	two, three := sigstoretest.Cosigns[0].Build(t), sigstoretest.Cosigns[1].Build(t)
	for _, args := range [][]string{
		{two, "attach", "sbom", "--sbom=" + document, "--type=spdx", "--input-format=json", at},
		{two, "attest", "--type=spdxjson", "--predicate=" + document, "--key=" + key, "--tlog-upload=false", "--yes", at},
		{two, "sign", "--key=" + key, "--tlog-upload=false", "--yes", at},
		{three, "attest", "--type=cyclonedx", "--predicate=" + document, "--key=" + key, "--use-signing-config=false", "--tlog-upload=false", "--yes", at},
	} {
		cmd := testtool.Command(t, args[0], args[1:]...)
		home := t.TempDir()
		cmd.Env = []string{"HOME=" + home, "DOCKER_CONFIG=" + home, "COSIGN_PASSWORD=" + password, "TUF_ROOT=" + filepath.Join(home, "tuf"), "PATH=/usr/bin:/bin"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	locked = must(build.Lock(t.Context(), o.Options))
	var kinds []string
	for _, s := range pinned() {
		mediaType, _, _ := strings.Cut(s, " ")
		kinds = append(kinds, mediaType)
	}
	slices.Sort(kinds)
	if want := []string{
		"application/spdx+json", "application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dsse.envelope.v1+json",
		"application/vnd.in-toto+json", "text/spdx+json",
	}; !slices.Equal(kinds, want) {
		t.Errorf("the lock has\n%q, want\n%q", kinds, want)
	}
	if again := must(build.Lock(t.Context(), o.Options)); len(again.Changes) > 0 || len(again.Lock.Images[0].Platforms[0].SBOMs) != len(kinds) {
		t.Errorf("locked again, it is another: %v", again.Changes)
	}

	r := must(build.Image(t.Context(), o.image()))
	documents := r.Images[0].Platforms[0].SBOM
	for _, file := range []string{documents.SPDX, documents.CycloneDX} {
		text := string(must(os.ReadFile(filepath.Join(r.Dist, file))))
		for _, s := range locked.Lock.Images[0].Platforms[0].SBOMs {
			if !strings.Contains(text, s.Reference) || !strings.HasPrefix(s.Reference, repo.Name()+"@sha256:") {
				t.Errorf("%s does not name %s", file, s.Reference)
			}
		}
	}

	// One that was removed from the registry may still be listed, and counts no more.
	for _, s := range pinned() {
		if mediaType, digest, _ := strings.Cut(s, " "); mediaType == "application/spdx+json" {
			request(t, http.MethodDelete, repo, digest, "")
		}
	}
	locked = must(build.Lock(t.Context(), o.Options))
	if got := pinned(); len(got) != len(kinds)-1 {
		t.Errorf("after one was removed, the lock has\n%q", got)
	}
}

// What is said of the index counts where nothing is said of the platform's image.
func TestBaseSBOMOfIndex(t *testing.T) {
	host := registrytest.InProcess(t, true)
	repo := must(name.NewRepository(host + "/acme/base"))
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: baseImage(t, "amd64"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
	})
	ok(t, remote.WriteIndex(repo.Tag("1"), index))
	referrer := mutate.Subject(holder(t, "application/spdx+json", nil), *must(partial.Descriptor(index))).(v1.Image)
	ok(t, remote.Write(repo.Digest(must(referrer.Digest()).String()), referrer))
	o := options(t, helloModule(t), func(o *settings) { o.Config.Defaults.Base = host + "/acme/base:1" })
	found := must(build.Lock(t.Context(), o.Options)).Lock.Images[0].Platforms[0].SBOMs
	if len(found) != 1 || found[0].Digest != must(referrer.Digest()).String() {
		t.Errorf("the lock has %+v", found)
	}
}
