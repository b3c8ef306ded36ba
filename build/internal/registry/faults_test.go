package registry_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// once lets a fault happen at the first request of each method and path.
func once(fault func(w http.ResponseWriter, r *http.Request) bool) func(int, http.ResponseWriter, *http.Request) bool {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(_ int, w http.ResponseWriter, r *http.Request) bool {
		what := r.Method + r.URL.Path
		if _, after, _ := strings.Cut(r.URL.Path, "/uploads/"); after != "" { // each upload has a path of its own
			what = r.Method
		}
		mu.Lock()
		before := seen[what]
		seen[what] = true
		mu.Unlock()
		return !before && fault(w, r)
	}
}

func always(fault func(w http.ResponseWriter, r *http.Request) bool) func(int, http.ResponseWriter, *http.Request) bool {
	return func(_ int, w http.ResponseWriter, r *http.Request) bool { return fault(w, r) }
}

func status(code int, methods ...string) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		for _, m := range methods {
			if m == r.Method && r.URL.Path != "/v2/" {
				w.WriteHeader(code)
				return true
			}
		}
		return false
	}
}

// cut reads some of a blob and breaks the connection.
func cut(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPatch {
		return false
	}
	_, _ = io.CopyN(io.Discard, r.Body, 1000)
	reset(w)
	return true
}

func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0) // a reset, not an end
		_ = conn.Close()
	}
}

// slowly passes a body on in small pieces.
type slowly struct{ io.ReadCloser }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return s.ReadCloser.Read(p[:min(len(p), 8192)])
}

// Whatever the registry does: the release ends complete, or with no tag moved and an
// error that says why; and the second run completes it.
func TestFaults(t *testing.T) {
	testtool.NotShort(t)
	every := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete}
	busy := func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "1")
		return status(http.StatusTooManyRequests, every...)(w, r)
	}
	faults := []struct {
		name   string
		meddle func(int, http.ResponseWriter, *http.Request) bool
		answer func(*http.Response) error
		says   []string // nothing: the release survives it
	}{
		{name: "500 once everywhere", meddle: once(status(500, every...))},
		{name: "502 once everywhere", meddle: once(status(502, every...))},
		{name: "500 for blobs", meddle: always(status(500, http.MethodPatch)), says: []string{"push ", ": 500 internal server error; an outage"}},
		{name: "503 for manifests", meddle: always(status(503, http.MethodPut)), says: []string{"push ", ": 503 service unavailable; an outage"}},
		{name: "500 for tags", meddle: always(func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/v1.0.0") && status(500, http.MethodPut)(w, r)
		}), says: []string{"tag ", ":v1.0.0: 500 internal server error"}},
		{name: "500 for the fallback tag or referrers", meddle: always(func(w http.ResponseWriter, r *http.Request) bool {
			is := strings.Contains(r.URL.Path, "/sha256-") || strings.Contains(r.URL.Path, "/referrers/") && !strings.HasSuffix(r.URL.Path, "b855")
			return is && status(500, http.MethodPut, http.MethodGet)(w, r)
		}), says: []string{"attach to ", ": 500 internal server error"}},
		{name: "429 with Retry-After once", meddle: once(func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/v1.0.0") && busy(w, r)
		})},
		{name: "429 for ever", meddle: always(status(429, every...)), says: []string{"push ", ": 429 too many requests; an outage"}},
		{name: "reset in mid-blob once", meddle: once(cut)},
		{name: "reset in mid-blob always", meddle: always(cut), says: []string{"push ", "check the network"}},
		{name: "reset once everywhere", meddle: once(func(w http.ResponseWriter, r *http.Request) bool {
			reset(w)
			return true
		})},
		{name: "401 in the middle", meddle: func(n int, w http.ResponseWriter, r *http.Request) bool {
			return n > 20 && status(401, every...)(w, r)
		}, says: []string{": 401 unauthorized; log in with \"docker login 127.0.0.1:"}},
		{name: "403 for tags", meddle: always(func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/v1.0.0") && status(403, http.MethodPut)(w, r)
		}), says: []string{"tag ", ":v1.0.0: 403 forbidden; the credentials"}},
		{name: "media type refused", meddle: always(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]}`)
			return true
		}), says: []string{"400 bad request (MANIFEST_INVALID); the registry refuses the media type application/vnd.oci.image.manifest.v1+json"}},
		{name: "wrong digest on read-back", answer: func(resp *http.Response) error {
			if resp.Request.Method == http.MethodGet && strings.Contains(resp.Request.URL.Path, "/blobs/") {
				resp.Body = changed{resp.Body}
			}
			return nil
		}, says: []string{"read back ", "@sha256:", ": the registry returned sha256:"}},
		{name: "half of a body on read-back", answer: func(resp *http.Response) error {
			if resp.Request.Method == http.MethodGet && strings.Contains(resp.Request.URL.Path, "/blobs/") {
				resp.Body = struct {
					io.Reader
					io.Closer
				}{io.LimitReader(resp.Body, 10), resp.Body}
			}
			return nil
		}, says: []string{"read back ", "@sha256:", "the registry ended the connection"}},
		{name: "slow bodies", meddle: always(func(_ http.ResponseWriter, r *http.Request) bool {
			r.Body = slowly{r.Body}
			return false
		}), answer: func(resp *http.Response) error {
			resp.Body = slowly{resp.Body}
			return nil
		}},
	}
	for _, kind := range kinds[:3] {
		t.Run(kind.name, func(t *testing.T) {
			host := kind.start(t)
			for _, fault := range faults {
				t.Run(fault.name, func(t *testing.T) {
					if kind.name == "distribution 3" && testing.Short() {
						t.Skip("long")
					}
					p, through := registrytest.Before(t, host)
					path := "/faults/" + strings.ReplaceAll(strings.ToLower(fault.name), " ", "-")
					c := made(fault.name)
					p.Meddle(fault.meddle)
					p.Answer(fault.answer)
					err := release(context.Background(), through+path, quick, c)
					p.Rest()
					if len(fault.says) == 0 {
						ok(t, err)
					} else {
						refused(t, err, fault.says...)
						if found, _ := state(t, through+path, c); found != nil {
							t.Errorf("the tags %q were moved", found)
						}
						ok(t, release(context.Background(), through+path, quick, c))
					}
					finished(t, through+path, c)
				})
			}
		})
	}
}

// A body that never ends is left when the context ends.
func TestHangingBody(t *testing.T) {
	p, host := registrytest.Before(t, registrytest.InProcess(t, false))
	c := made("hang")
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop, left := errors.New("the user has had enough"), make(chan struct{})
	p.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		_, _ = io.CopyN(io.Discard, r.Body, 10)
		cancel(stop)
		<-left
		return true
	})
	err := release(ctx, repositoryOf(host), quick, c)
	close(left)
	if !errors.Is(err, stop) {
		t.Errorf("the error is %v", err)
	}
	p.Rest()
	if found, _ := state(t, repositoryOf(host), c); found != nil {
		t.Errorf("the tags %q were moved", found)
	}
	ok(t, release(context.Background(), repositoryOf(host), quick, c))
	finished(t, repositoryOf(host), c)
}

// A registry that takes a tag and forgets it.
func TestTagIsReadBack(t *testing.T) {
	p, host := registrytest.Before(t, registrytest.InProcess(t, true))
	r, c := open(t, repositoryOf(host), quick), made("forget")
	ok(t, r.Push(context.Background(), c.index))
	p.Meddle(always(func(w http.ResponseWriter, q *http.Request) bool {
		return strings.HasSuffix(q.URL.Path, "/v1.0.0") && status(http.StatusCreated, http.MethodPut)(w, q)
	}))
	refused(t, r.Tag(context.Background(), c.digest(), tags), ":v1.0.0: the registry accepted it, but does not have it")
	if is := must(r.Resolve(context.Background(), "latest")); is != (v1.Hash{}) {
		t.Error("latest was moved")
	}
}

func TestUnreachable(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	host := gone.Addr().String()
	ok(t, gone.Close())
	_, err = registry.Open(context.Background(), repositoryOf(host), quick)
	refused(t, err, "push "+repositoryOf(host)+": ", "connection refused", "check the network and the proxy")
	_, err = registry.Open(context.Background(), "registry.invalid/acme/api", quick)
	refused(t, err, "push registry.invalid/acme/api: ", "check the")
}
