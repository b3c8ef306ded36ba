package build_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// shortNames are what an inventory calls the types of predicates.
var shortNames = map[string]string{
	"https://sigstore.dev/cosign/sign/v1":                                             "signature",
	"https://spdx.dev/Document":                                                       "spdx",
	"https://cyclonedx.org/bom":                                                       "cyclonedx",
	"https://slsa.dev/provenance/v1":                                                  "provenance",
	"https://in-toto.io/attestation/test-result/v0.1":                                 "test-result",
	"https://github.com/thimble-build/thimble/blob/main/docs/verifying.md#release-v1": "release",
}

// planned counts what the plan of a release asks for in a repository, as "digest form type".
func planned(r *build.Result) map[string]int {
	want := map[string]int{}
	for _, img := range r.Images {
		for _, form := range []string{"bundle", "tag"} {
			for _, p := range img.Platforms {
				for _, of := range []string{"signature", "spdx", "cyclonedx", "provenance", "test-result", "release"} {
					want[p.Digest+" "+form+" "+of]++
				}
				want[img.Digest+" "+form+" spdx"]++
				want[img.Digest+" "+form+" cyclonedx"]++
			}
			for _, of := range []string{"signature", "provenance", "test-result", "release"} {
				want[img.Digest+" "+form+" "+of]++
			}
		}
	}
	return want
}

// inventory counts what a registry has about these digests, each read from there, as planned
// does.
func inventory(t testing.TB, repository string, digests ...string) map[string]int {
	t.Helper()
	repo := must(name.NewRepository(repository, name.Insecure))
	found := map[string]int{}
	for _, digest := range digests {
		for _, d := range must(must(remote.Referrers(repo.Digest(digest))).IndexManifest()).Manifests {
			img, err := remote.Image(repo.Digest(d.Digest.String()))
			if err != nil {
				continue // listed, and not there
			}
			m := must(img.Manifest())
			if m.ArtifactType == "application/vnd.dev.sigstore.bundle.v0.3+json" {
				found[digest+" bundle "+shortNames[m.Annotations["dev.sigstore.bundle.predicateType"]]]++
			}
		}
		tag := strings.Replace(digest, ":", "-", 1)
		if img, err := remote.Image(repo.Tag(tag + ".sig")); err == nil {
			found[digest+" tag signature"] += len(must(img.Manifest()).Layers)
		}
		if img, err := remote.Image(repo.Tag(tag + ".att")); err == nil {
			for _, l := range must(img.Manifest()).Layers {
				found[digest+" tag "+shortNames[l.Annotations["predicateType"]]]++
			}
		}
	}
	return found
}

// asPlanned checks that a registry has what the plan asks for, each once.
func asPlanned(t testing.TB, when string, want, found map[string]int) {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(want)) {
		if found[what] != want[what] {
			t.Errorf("%s: the registry has %d of %s, want %d", when, found[what], what, want[what])
		}
	}
	for what, n := range found {
		if want[what] == 0 {
			t.Errorf("%s: the registry has %d of %s", when, n, what)
		}
	}
}

// digestsOf are those of a release's index and images.
func digestsOf(r *build.Result) (all []string) {
	for _, img := range r.Images {
		all = append(all, img.Digest)
		for _, p := range img.Platforms {
			all = append(all, p.Digest)
		}
	}
	return all
}

// Whatever piece a release that was interrupted has not written, the next run writes it, and
// reads it from the registry before it sets the tag.
func TestNextRunCompletes(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "minutes: it releases once for every piece")
	host := registrytest.InProcess(t, false)
	key := newServedKey(t)
	repo := module(t, "hello")
	o := options(t, repo, to(host, key))
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	repository := must(name.NewRepository(host+"/acme/hello", name.Insecure))
	asPlanned(t, "the first run", planned(r), inventory(t, host+"/acme/hello", digestsOf(r)...))

	for _, digest := range digestsOf(r) {
		tag := strings.Replace(digest, ":", "-", 1)
		remove := func(ref string) func() { return func() { request(t, http.MethodDelete, repository, ref, "") } }
		pieces := map[string]func(){
			".sig":                remove(tag + ".sig"),
			".att":                remove(tag + ".att"),
			"the list of bundles": remove(tag),
			"all of it":           func() { remove(tag + ".sig")(); remove(tag + ".att")(); remove(tag)() },
		}
		for i, d := range must(must(remote.Referrers(repository.Digest(digest))).IndexManifest()).Manifests {
			pieces[fmt.Sprint("bundle ", i)] = remove(d.Digest.String())
		}
		for i := range must(must(remote.Image(repository.Tag(tag + ".att"))).Layers()) {
			// After the bundle, from which it could be made again.
			pieces[fmt.Sprint("the blob of .att layer ", i)] = func() {
				l := must(must(remote.Image(repository.Tag(tag + ".att"))).Layers())[i]
				req := must(http.NewRequest(http.MethodDelete, "http://"+host+"/v2/acme/hello/blobs/"+must(l.Digest()).String(), nil))
				resp := must(http.DefaultClient.Do(req))
				ok(t, resp.Body.Close())
				if resp.StatusCode >= 300 {
					t.Fatalf("delete a blob: %s", resp.Status)
				}
			}
			pieces[fmt.Sprint(".att layer ", i)] = func() {
				ok(t, remote.Write(repository.Tag(tag+".att"), withoutLayer(must(remote.Image(repository.Tag(tag+".att"))), i)))
			}
		}
		for _, piece := range slices.Sorted(maps.Keys(pieces)) {
			pieces[piece]()
			remove("v1.2.3")()
			again, err := build.Release(t.Context(), o.release())
			ok(t, err)
			asPlanned(t, "without "+piece+" of "+digest, planned(r), inventory(t, host+"/acme/hello", digestsOf(again)...))
		}
	}
}

// withoutLayer is an image of documents without one of its layers.
func withoutLayer(img v1.Image, i int) v1.Image {
	m := must(img.Manifest())
	var add []mutate.Addendum
	for j, d := range m.Layers {
		if j != i {
			add = append(add, mutate.Addendum{Layer: must(img.LayerByDigest(d.Digest)), MediaType: d.MediaType, Annotations: d.Annotations})
		}
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, m.MediaType), m.Config.MediaType)
	return must(mutate.Append(base, add...))
}
