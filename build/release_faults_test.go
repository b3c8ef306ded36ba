package build_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// Whatever a registry does to a whole release: it ends complete, or with no tag moved
// and an error that says why and what is public; and the next run completes it.
// Package registry does more of them, in other registries.
func TestReleaseFaults(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "minutes: it releases once for every fault")
	status := func(code int) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(code)
		}
	}
	reset := func(w http.ResponseWriter) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0) // a reset, not an end
			_ = conn.Close()
		}
	}
	upload := func(r *http.Request) bool { return r.Method == http.MethodPatch }
	manifest := func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/")
	}
	public := []string{"no tag was moved", "may be there by digest; run it again to continue"}
	for _, fault := range []struct {
		name string
		// at are the requests that get the fault: the first of them, or all.
		at    func(*http.Request) bool
		all   bool
		fault func(http.ResponseWriter)
		// answer meddles with what the registry says.
		answer func(*http.Response) error
		says   []string // nothing: the release survives it
	}{
		{name: "500 for a blob once", at: upload, fault: status(500)},
		{name: "429 for a manifest once", at: manifest, fault: status(429)},
		{name: "reset in mid-blob once", at: upload, fault: reset},
		{name: "reset in mid-blob always", at: upload, all: true, fault: reset, says: append(public, "push ", "check the network")},
		{name: "500 for lists of referrers", all: true, fault: status(500), at: func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/sha256-")
		}, says: append(public, "attach to ", ": 500 internal server error; an outage")},
		{name: "401 in the middle", all: true, fault: status(401), at: func() func(*http.Request) bool {
			var n atomic.Int32
			return func(*http.Request) bool { return n.Add(1) > 80 }
		}(), says: append(public, ": 401 unauthorized; log in with \"docker login 127.0.0.1:")},
		{name: "403 for the tag", all: true, fault: status(403), at: func(r *http.Request) bool {
			return manifest(r) && strings.HasSuffix(r.URL.Path, "/v1.2.3")
		}, says: append(public, "tag ", ":v1.2.3: 403 forbidden; the credentials")},
		{name: "another blob on read-back", answer: func(resp *http.Response) error {
			if resp.Request.Method == http.MethodGet && strings.Contains(resp.Request.URL.Path, "/blobs/") {
				resp.Body = changed{resp.Body}
			}
			return nil
		}, says: append(public, "read back ", ": the registry returned sha256:")},
		{name: "attestations gone on read-back", answer: func() func(*http.Response) error {
			var seen sync.Map // once it was written, it is there for the first who looks
			return func(resp *http.Response) error {
				path := resp.Request.URL.Path
				if resp.Request.Method != http.MethodGet || !strings.HasSuffix(path, ".att") || resp.StatusCode != http.StatusOK {
					return nil
				}
				if _, again := seen.LoadOrStore(path, true); again {
					resp.StatusCode, resp.Body = http.StatusNotFound, io.NopCloser(strings.NewReader(""))
					resp.Header.Del("Content-Length")
					resp.ContentLength = 0
				}
				return nil
			}
		}(), says: append(public, "verify ", "there is none in the form tag")},
		{name: "slow bodies", answer: func(resp *http.Response) error {
			resp.Body = slowly{resp.Body}
			return nil
		}, at: func(r *http.Request) bool {
			r.Body = slowly{r.Body}
			return false
		}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			host := registrytest.InProcess(t, false)
			o, p := killable(t, host)
			var hit atomic.Int32
			p.Answer(fault.answer)
			p.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if fault.at == nil || !fault.at(r) || hit.Add(1) > 1 && !fault.all {
					return false
				}
				_, _ = io.CopyN(io.Discard, r.Body, 1000)
				fault.fault(w)
				return true
			})
			_, err := build.Release(t.Context(), o.release())
			p.Rest()
			if fault.fault != nil && hit.Load() == 0 {
				t.Error("the fault did not happen")
			}
			if len(fault.says) == 0 {
				ok(t, err)
			} else {
				refused(t, err, fault.says...)
				if got := tagsOf(t, host+"/acme/hello"); len(got) > 0 {
					t.Errorf("the tags %v were moved", got)
				}
			}
			afterwards(t, o, p, host, "after it")
		})
	}
}

// Between two tags only the second is missing, and the error says so.
func TestFaultBetweenTags(t *testing.T) {
	t.Parallel()
	host := registrytest.InProcess(t, true)
	o, p := killable(t, host)
	p.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/latest") {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	_, err := build.Release(t.Context(), o.release())
	p.Meddle(nil)
	refused(t, err, "tag ", ":latest: 403 forbidden", "moved already: v1.2.3")
	if err != nil && strings.Contains(err.Error(), "no tag was moved") {
		t.Errorf("it says that no tag was moved: %v", err)
	}
	if got := tagsOf(t, host+"/acme/hello"); len(got) != 1 {
		t.Errorf("the tags are %v", got)
	}
	afterwards(t, o, p, host, "after it")
}

// afterwards checks what a release that did not end has left: no tag is there unless
// everything behind it verifies; the next run completes it, and neither uploads nor
// signs anything twice.
func afterwards(t testing.TB, o settings, p *registrytest.Proxy, host, when string) {
	t.Helper()
	repository := host + "/acme/hello"
	stranger := settings{Options: build.Options{Workdir: t.TempDir(), Env: environment()}}
	expected := build.VerifyOptions{Keys: []string{publicOf(o.Config.Release.Key)}}
	atTag := map[string]int{}
	for tag, digest := range tagsOf(t, repository) {
		digests := []string{digest}
		for _, d := range must(must(remote.Index(must(name.NewRepository(repository, name.Insecure)).Digest(digest))).IndexManifest()).Manifests {
			digests = append(digests, d.Digest.String())
		}
		atTag = inventory(t, repository, digests...)
		if _, err := build.Verify(t.Context(), verifying(stranger.Options, expected), repository+":"+tag); err != nil {
			t.Fatalf("%s: %s is there, and %v", when, tag, err)
		}
	}
	before := p.Taken()
	r, err := build.Release(t.Context(), o.release())
	if err != nil {
		t.Fatalf("%s: the next run: %v", when, err)
	}
	complete(t, r, o.Config.Repository+"/hello")
	if len(atTag) > 0 {
		asPlanned(t, when+", at the tag", planned(r), atTag)
	}
	asPlanned(t, when+", after the next run", planned(r), inventory(t, repository, digestsOf(r)...))
	for digest := range p.Taken() {
		if before[digest] {
			t.Errorf("%s: the next run uploads %s again", when, digest)
		}
	}
	if got := tagsOf(t, repository); len(got) != 2 || got["v1.2.3"] != r.Images[0].Digest || got["latest"] != r.Images[0].Digest {
		t.Errorf("%s: the tags are %v", when, got)
	}
	if _, err := build.Verify(t.Context(), verifying(stranger.Options, expected), repository+":v1.2.3"); err != nil {
		t.Errorf("%s: %v", when, err)
	}
}

// killable is a release for one platform to a registry, with a proxy before it.
func killable(t testing.TB, host string) (settings, *registrytest.Proxy) {
	p, through := registrytest.Before(t, host)
	o := options(t, module(t, "hello"), to(through, newServedKey(t)))
	o.Config.Release.MovingTags = []string{"latest"}
	return o, p
}

// changed is a body with its first byte changed.
type changed struct{ io.ReadCloser }

func (c changed) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	if n > 0 {
		b[0] ^= 1
	}
	return n, err
}

// slowly is a body that comes in small pieces.
type slowly struct{ io.ReadCloser }

func (s slowly) Read(b []byte) (int, error) {
	time.Sleep(100 * time.Microsecond)
	return s.ReadCloser.Read(b[:min(len(b), 4096)])
}
