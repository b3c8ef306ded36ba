package build_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/report"
)

// What others have attached to an image, of whatever size, is neither read nor in the
// way, and what was removed and is still listed is signed again.
func TestReferrersOfOthers(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for _, test := range []struct {
		name      string
		referrers bool
		// change gets the image's repository and the image.
		change func(t *testing.T, repository name.Repository, digest string)
	}{
		{"attached by somebody else", true, func(t *testing.T, repository name.Repository, digest string) {
			subject := must(remote.Head(repository.Digest(digest)))
			manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/x-disk",
				"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:%064x","size":2},
				"layers":[{"mediaType":"application/x-disk","digest":"sha256:%064x","size":1099511627776}],
				"subject":{"mediaType":%q,"digest":%q,"size":%d}}`, 1, 2, subject.MediaType, subject.Digest, subject.Size)
			request(t, http.MethodPut, repository, "disk", manifest)
		}},
		{"removed, and still listed", false, func(t *testing.T, repository name.Repository, digest string) {
			list := must(must(remote.Referrers(repository.Digest(digest))).IndexManifest())
			for _, d := range list.Manifests {
				request(t, http.MethodDelete, repository, d.Digest.String(), "")
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			host := registrytest.InProcess(t, test.referrers)
			o := options(t, module(t, "hello"), to(host, key))
			r, err := build.Release(t.Context(), o.release())
			ok(t, err)
			repository := must(name.NewRepository(host+"/acme/hello", name.Insecure))
			test.change(t, repository, r.Images[0].Digest)
			// The other form has all that a stranger wants.
			stranger := settings{Options: build.Options{Workdir: t.TempDir(), Env: environment()}}
			_, err = build.Verify(t.Context(), verifying(stranger.Options, build.VerifyOptions{Keys: []string{publicOf(key)}}), host+"/acme/hello:v1.2.3")
			ok(t, err)
			_, err = build.Release(t.Context(), o.release())
			ok(t, err)
			there := 0
			for _, d := range must(must(remote.Referrers(repository.Digest(r.Images[0].Digest))).IndexManifest()).Manifests {
				if d.ArtifactType != "application/x-disk" && exists(repository, d) {
					there++
				}
			}
			if there < 5 {
				t.Errorf("there are %d bundles, want 5", there)
			}
		})
	}
}

// A proxy before the registry that adds a charset to the media type, or takes it away,
// changes nothing.
func TestMediaTypeOfProxies(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "it releases several times")
	key := newKey(t)
	repo := module(t, "hello")
	for _, mediaType := range []string{"%s; charset=utf-8", ""} {
		p, host := registrytest.Before(t, registrytest.InProcess(t, false))
		p.Answer(func(resp *http.Response) error {
			if was := resp.Header.Get("Content-Type"); resp.StatusCode == http.StatusOK && strings.Contains(resp.Request.URL.Path, "/manifests/") {
				resp.Header["Content-Type"] = nil // or the server adds one
				if mediaType != "" {
					resp.Header.Set("Content-Type", fmt.Sprintf(mediaType, was))
				}
			}
			return nil
		})
		_, err := build.Release(t.Context(), options(t, repo, to(host, key)).release())
		ok(t, err)
		verified, err := build.Verify(t.Context(), verifying(options(t, t.TempDir()).Options, build.VerifyOptions{Keys: []string{publicOf(key)}}), host+"/acme/hello:v1.2.3")
		ok(t, err)
		if !slices.ContainsFunc(verified.Checks, func(c report.Check) bool { return c.Platform == "linux/amd64" && c.Check == "signature" }) {
			t.Errorf("the platforms were not looked at: %+v", verified)
		}
	}
}

func exists(repository name.Repository, d v1.Descriptor) bool {
	_, err := remote.Head(repository.Digest(d.Digest.String()))
	return err == nil
}

// request changes a manifest in a registry.
func request(t testing.TB, method string, repository name.Repository, ref, manifest string) {
	t.Helper()
	req := must(http.NewRequest(method, "http://"+repository.RegistryStr()+"/v2/"+repository.RepositoryStr()+"/manifests/"+ref, strings.NewReader(manifest)))
	req.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	resp := must(http.DefaultClient.Do(req))
	ok(t, resp.Body.Close())
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, ref, resp.Status)
	}
}
