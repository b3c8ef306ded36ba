package registry_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/registrytest"
)

// lacking answers the first n requests to put a manifest as a registry that lacks a blob.
func lacking(n int) meddler {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if n == 0 || r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/sha256:") {
			return false
		}
		n--
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"errors":[{"code":"DIGEST_INVALID"},{"code":"MANIFEST_BLOB_UNKNOWN"}]}`)
		return true
	}
}

// A registry that does not have a blob when the manifest comes gets both again: somebody else
// may be uploading the same blob.
func TestBlobIsMissingForAMoment(t *testing.T) {
	for name, write := range map[string]func(t *testing.T, r *registry.Repository, c content) error{
		"push": func(t *testing.T, r *registry.Repository, c content) error { return r.Push(t.Context(), c.index) },
		"attach": func(t *testing.T, r *registry.Repository, c content) error {
			return r.Attach(t.Context(), c.artifacts())
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, host := registrytest.Before(t, registrytest.InProcess(t, false))
			c := made("missing")
			r := open(t, repositoryOf(host), quick)
			ok(t, open(t, repositoryOf(host)+"/other", quick).Push(t.Context(), c.index))
			p.Meddle(always(lacking(2)))
			ok(t, write(t, r, c))
			p.Meddle(always(lacking(-1)))
			err := write(t, open(t, repositoryOf(host)+"/never", quick), c)
			refused(t, err, "400 bad request (DIGEST_INVALID, MANIFEST_BLOB_UNKNOWN)", "run it again")
			if strings.Contains(err.Error(), "Forms") {
				t.Errorf("a lost blob is no reason for another form: %v", err)
			}
		})
	}
}

// A registry loses a blob between the upload and the manifest: it is uploaded again.
func TestBlobIsLost(t *testing.T) {
	host := registrytest.InProcess(t, false)
	p, through := registrytest.Before(t, host)
	c := made("lost")
	blob := must(must(c.signature.Image.Layers())[0].Digest())
	var once sync.Once
	p.Meddle(always(func(w http.ResponseWriter, r *http.Request) bool {
		lost := false
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			once.Do(func() {
				lost = true
				gone, err := http.NewRequest(http.MethodDelete, "http://"+host+"/v2/acme/api/blobs/"+blob.String(), nil)
				resp, err2 := http.DefaultClient.Do(gone)
				if err := errors.Join(err, err2); err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, `{"errors":[{"code":"BLOB_UNKNOWN"}]}`)
			})
		}
		return lost
	}))
	ok(t, open(t, repositoryOf(through), quick).Attach(t.Context(), []registry.Artifact{c.signature}))
	resp, err := http.Head("http://" + host + "/v2/acme/api/blobs/" + blob.String())
	ok(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("HEAD of the blob: %s", resp.Status)
	}
}

// Artifacts share blobs, and a blob is uploaded once: while it is uploaded again,
// distribution's registry refuses the manifests that name it.
func TestSharedBlobsAreUploadedOnce(t *testing.T) {
	p, host := registrytest.Before(t, registrytest.InProcess(t, false))
	var mu sync.Mutex
	uploads := map[string]int{}
	p.Meddle(always(func(w http.ResponseWriter, r *http.Request) bool {
		if digest := r.URL.Query().Get("digest"); digest != "" {
			mu.Lock()
			uploads[digest]++
			mu.Unlock()
			time.Sleep(20 * time.Millisecond) // others begin meanwhile
		}
		return false
	}))
	var all []registry.Artifact
	for i := range 6 {
		c := made(fmt.Sprint("shared", i))
		all = append(all, c.artifacts()...)
	}
	ok(t, open(t, repositoryOf(host), quick).Attach(t.Context(), all))
	blobs := map[v1.Hash]int{}
	for _, a := range all {
		blobs[must(a.Image.ConfigName())]++
		for _, l := range must(a.Image.Layers()) {
			blobs[must(l.Digest())]++
		}
	}
	shared := false
	for digest, n := range blobs {
		shared = shared || n > 1
		if uploads[digest.String()] != 1 {
			t.Errorf("%s, which %d artifacts have, was uploaded %d times", digest, n, uploads[digest.String()])
		}
	}
	if !shared {
		t.Error("the artifacts share no blob")
	}
}
