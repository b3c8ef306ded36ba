package build_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/report"
)

// Garbage that somebody has put beside an image is listed, and takes nothing away from what
// is there in either form. The next release works too, or says what is in its way.
func TestGarbageInRegistry(t *testing.T) {
	t.Parallel()
	const bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
	key := newServedKey(t)
	repo := module(t, "hello")
	all := testtool.Part(t, "a minute: it releases twice for each case")
	for _, referrers := range []bool{true, false} {
		for i, test := range []struct {
			name string
			put  func(t *testing.T, repository name.Repository, digest string)
			// ignored is in the report, refused in the next release's error, if there is one.
			ignored, refused string
		}{
			{"a bundle that is nowhere", func(t *testing.T, repository name.Repository, digest string) {
				attach(t, repository, digest, bundle, "not there", false)
			}, "is damaged: read", ""},
			{"a bundle that is no JSON", func(t *testing.T, repository name.Repository, digest string) {
				attach(t, repository, digest, bundle, "garbage", true)
			}, "is damaged: decode bundle", ""},
			{"a large manifest", func(t *testing.T, repository name.Repository, digest string) {
				attach(t, repository, digest, bundle, "garbage", true, strings.Repeat("x", 80<<10))
			}, "is larger than 64 KiB", ""},
			{"something else", func(t *testing.T, repository name.Repository, digest string) {
				attach(t, repository, digest, "application/x-scan", "garbage", true)
			}, map[bool]string{true: "1 are not bundles", false: "1 of other types, such as application/x-scan"}[referrers], ""},
			{"an index under .sig", func(t *testing.T, repository name.Repository, digest string) {
				retag(t, repository.Name(), digest, strings.Replace(digest, ":", "-", 1)+".sig")
			}, "it is not an image", ".sig points to something else"},
			{"a manifest under .sig that is no JSON", under(".sig", "garbage"), "it is not an image", ".sig points to something else"},
			{"a list under .att", under(".att", "[]"), "it is not an image", ".att points to something else"},
			{"a manifest under .att whose parts have no digests", under(".att", `{"schemaVersion":2,"layers":[{"digest":"x"}]}`), "it is not an image", ".att points to something else"},
			{"a manifest of nothing under .sig", under(".sig", "{}"), "its configuration or a layer has no digest", ".sig points to something else"},
			{"a layer that is null under .sig", under(".sig", `{"layers":[null]}`), "its configuration or a layer has no digest", ".sig points to something else"},
			{"a huge manifest under .att", under(".att", `{"a":"`+strings.Repeat("a", 5<<20)+`"}`), "larger", ".att points to something else"},
			{"layers of something else under .att", func(t *testing.T, repository name.Repository, digest string) {
				ref := repository.Tag(strings.Replace(digest, ":", "-", 1) + ".att")
				index := must(remote.Index(repository.Digest(digest)))
				child := must(index.Image(must(index.IndexManifest()).Manifests[0].Digest))
				ok(t, remote.Write(ref, child))
			}, "has the media type", ""},
		} {
			if !all && (i%4 != 0 && referrers || i%4 != 2 && !referrers) { // some cases in either registry
				continue
			}
			host := registrytest.InProcess(t, referrers)
			o := options(t, repo, to(host, key))
			r, err := build.Release(t.Context(), o.release())
			ok(t, err)
			repository := must(name.NewRepository(host+"/acme/hello", name.Insecure))
			test.put(t, repository, r.Images[0].Digest)
			stranger := settings{Options: build.Options{Workdir: t.TempDir(), Env: environment()}}
			verified, err := build.Verify(t.Context(), verifying(stranger.Options, build.VerifyOptions{Keys: []string{publicOf(key)}}), host+"/acme/hello:v1.2.3")
			if err != nil {
				t.Errorf("%s, referrers %v: %v", test.name, referrers, err)
				continue
			}
			if !slices.ContainsFunc(verified.Checks, func(c report.Check) bool { return c.Outcome == "ignored" && strings.Contains(c.Detail, test.ignored) }) {
				t.Errorf("%s, referrers %v: nothing is ignored because of %q: %+v", test.name, referrers, test.ignored, verified.Checks)
			}
			_, err = build.Release(t.Context(), o.release())
			if test.refused != "" {
				refused(t, err, test.refused, "remove the tag if nobody needs it")
			} else if err != nil {
				t.Errorf("%s, referrers %v: the next release: %v", test.name, referrers, err)
			}
		}
	}
}

// under puts a manifest under a digest's tag with this ending.
func under(ending, manifest string) func(*testing.T, name.Repository, string) {
	return func(t *testing.T, repository name.Repository, digest string) {
		request(t, http.MethodPut, repository, strings.Replace(digest, ":", "-", 1)+ending, manifest)
	}
}

// attach attaches an artifact of one layer to a digest, as any client does.
func attach(t testing.TB, repository name.Repository, digest, artifactType, content string, upload bool, annotation ...string) {
	t.Helper()
	layer, config := static.NewLayer([]byte(content), "application/json"), static.NewLayer([]byte("{}"), "application/vnd.oci.empty.v1+json")
	if upload {
		ok(t, remote.WriteLayer(repository, layer))
		ok(t, remote.WriteLayer(repository, config))
	}
	subject := must(remote.Head(repository.Digest(digest)))
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":%q,
		"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":2},
		"layers":[{"mediaType":%q,"digest":%q,"size":%d}],
		"subject":{"mediaType":%q,"digest":%q,"size":%d},"annotations":{"a":%q}}`,
		artifactType, must(config.Digest()), artifactType, must(layer.Digest()), len(content), subject.MediaType, subject.Digest, subject.Size, strings.Join(annotation, ""))
	request(t, http.MethodPut, repository, "garbage", manifest)
	at := must(remote.Head(repository.Tag("garbage")))
	list := must(must(remote.Referrers(repository.Digest(digest))).IndexManifest())
	for _, d := range list.Manifests {
		if d.Digest == at.Digest {
			return // the registry has listed it
		}
	}
	at.ArtifactType = artifactType
	list.MediaType = "application/vnd.oci.image.index.v1+json"
	list.Manifests = append(list.Manifests, *at)
	req := must(http.NewRequest(http.MethodPut, "http://"+repository.RegistryStr()+"/v2/"+repository.RepositoryStr()+"/manifests/"+strings.Replace(digest, ":", "-", 1), strings.NewReader(string(must(json.Marshal(list))))))
	req.Header.Set("Content-Type", string(list.MediaType))
	resp := must(http.DefaultClient.Do(req))
	ok(t, resp.Body.Close())
	if resp.StatusCode >= 300 {
		t.Fatalf("list it: %s", resp.Status)
	}
}
