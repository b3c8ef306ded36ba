package build_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// One build of several images goes to several repositories, of one registry and of
// another: everything of all of them is there and verified before any tag moves, and
// what a registry has already is mounted.
func TestReleaseSeveral(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "minutes: it releases for several platforms")
	// Its repositories do not share their blobs, as those of go-containerregistry's do.
	p, first := registrytest.Before(t, registries[0].start(t))
	mounted := map[string]bool{} // path, and the digest
	p.Answer(func(resp *http.Response) error {
		if digest := resp.Request.URL.Query().Get("mount"); digest != "" && resp.StatusCode == http.StatusCreated {
			mounted[resp.Request.URL.Path+" "+digest] = true
		}
		return nil
	})
	second := registrytest.InProcess(t, true)
	key := newKey(t)
	o := options(t, module(t, "several"), to(first, key), func(o *settings) {
		o.Config.Release.Repositories = []string{first + "/mirror", second + "/acme"}
	})
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	if len(r.Images) < 2 {
		t.Fatalf("the module has %d images", len(r.Images))
	}
	stranger := settings{Options: build.Options{Workdir: t.TempDir(), Env: environment()}}
	expected := build.VerifyOptions{Keys: []string{publicOf(key)}}
	var repositories []string
	for _, img := range r.Images {
		for _, prefix := range []string{first + "/acme", first + "/mirror", second + "/acme"} {
			repository := prefix + "/" + img.Name
			repositories = append(repositories, repository)
			report, err := build.Verify(t.Context(), verifying(stranger.Options, expected), repository+":v1.2.3")
			if err != nil || report.Digest != img.Digest {
				t.Errorf("%s: %v", repository, err)
			}
			for _, d := range []string{img.Digest, img.Platforms[0].Digest} {
				list := must(must(remote.Referrers(must(name.NewDigest(repository+"@"+d, name.Insecure)))).IndexManifest())
				if len(list.Manifests) != 6 {
					t.Errorf("%s@%s has %d bundles", repository, d, len(list.Manifests))
				}
			}
		}
	}
	signed := map[string]int{}
	for _, s := range slices.Concat(r.Signatures, r.Attestations) {
		signed[s.Repository]++
	}
	for _, repository := range repositories {
		if signed[repository] == 0 || signed[repository] != signed[repositories[0]] {
			t.Errorf("manifest.json has %d signatures in %s, and %d in %s", signed[repository], repository, signed[repositories[0]], repositories[0])
		}
	}

	// No tag of a version is written before anything else.
	writes, tagged := p.Requests(http.MethodPut, http.MethodPatch, http.MethodPost), 0
	for i, w := range writes {
		if strings.HasPrefix(w, "PUT ") && strings.HasSuffix(w, "/manifests/v1.2.3") {
			tagged++
		} else if tagged > 0 {
			t.Errorf("after a tag there is %s", writes[i])
		}
	}
	if tagged != 2*len(r.Images) {
		t.Errorf("%d tags were set: %q", tagged, writes)
	}

	// The second repository of a registry gets the blobs of the first without an upload.
	for _, img := range r.Images {
		for _, l := range img.Platforms[0].Layers {
			if !mounted["/v2/mirror/"+img.Name+"/blobs/uploads/ "+l.Digest] {
				t.Errorf("layer %s of %s was not mounted: %v", l.Name, img.Name, mounted)
			}
		}
	}

	// Where the last of them fails, no tag of any moves; and the next run completes all.
	git(t, o.Workdir, "commit", "-q", "--allow-empty", "-m", "next")
	git(t, o.Workdir, "tag", "v1.2.4")
	failing := "/v2/mirror/" + r.Images[len(r.Images)-1].Name + "/manifests/"
	untagged := func() {
		t.Helper()
		for _, repository := range repositories {
			if got := tagsOf(t, repository); len(got) != 1 {
				t.Errorf("%s has the tags %v", repository, got)
			}
		}
	}
	p.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.HasPrefix(r.URL.Path, failing) {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	_, err = build.Release(t.Context(), o.release())
	refused(t, err, "403 forbidden", "no tag was moved")
	untagged()

	// Nor where somebody takes the tag of the last one while the rest is pushed.
	taken := must(name.NewTag(repositories[len(repositories)-1]+":v1.2.4", name.Insecure))
	var once sync.Once
	p.Meddle(func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			once.Do(func() { ok(t, remote.Write(taken, must(random.Image(100, 1)))) })
		}
		return false
	})
	_, err = build.Release(t.Context(), o.release())
	refused(t, err, taken.String()+": it points to ", "no tag was moved")
	ok(t, remote.Delete(taken))
	untagged()
	p.Meddle(nil)
	r, err = build.Release(t.Context(), o.release())
	ok(t, err)
	for i, repository := range repositories {
		if got := tagsOf(t, repository); len(got) != 2 || got["v1.2.4"] != r.Images[i/3].Digest {
			t.Errorf("%s has the tags %v", repository, got)
		}
	}
}
