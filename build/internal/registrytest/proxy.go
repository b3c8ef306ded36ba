package registrytest

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Proxy passes requests on to a registry, records them, and lets a test change them.
type Proxy struct {
	next *httputil.ReverseProxy

	mu     sync.Mutex
	seen   []string        // method and path
	taken  map[string]bool // digests of blobs and manifests
	meddle func(n int, w http.ResponseWriter, r *http.Request) bool
	answer func(*http.Response) error
}

// Before starts a proxy in front of the registry at a host and port, and returns the proxy's.
func Before(t testing.TB, host string) (*Proxy, string) {
	p := &Proxy{}
	p.next = &httputil.ReverseProxy{
		FlushInterval: -1, ErrorLog: quiet, ModifyResponse: p.took,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: host})
			r.Out.Host = r.In.Host // so that locations lead through the proxy
		},
	}
	return p, Serve(t, p)
}

// ServeHTTP passes a request on, unless the test has answered it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, r.Method+" "+r.URL.Path)
	n, meddle := len(p.seen), p.meddle
	p.mu.Unlock()
	if meddle == nil || !meddle(n, w, r) {
		p.next.ServeHTTP(w, r)
	}
}

// took records the digests that the registry accepts, and lets the test change the answer.
func (p *Proxy) took(resp *http.Response) error {
	r := resp.Request
	digest := r.URL.Query().Get("digest")
	if _, ref, ok := strings.Cut(r.URL.Path, "/manifests/"); ok {
		digest = ref
	}
	p.mu.Lock()
	if r.Method == http.MethodPut && resp.StatusCode == http.StatusCreated &&
		strings.HasPrefix(digest, "sha256:") {
		if p.taken == nil {
			p.taken = map[string]bool{}
		}
		p.taken[digest] = true
	}
	answer := p.answer
	p.mu.Unlock()
	if answer == nil {
		return nil
	}
	return answer(resp)
}

// Meddle calls f with each request first; f returns true if it has answered it. n counts the
// requests from 1 since the last Forget. nil ends that.
func (p *Proxy) Meddle(f func(n int, w http.ResponseWriter, r *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meddle = f
}

// Answer calls f to change the registry's answers. nil ends that.
func (p *Proxy) Answer(f func(*http.Response) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = f
}

// Requests returns those since the last Forget as method and path, with one of the methods or
// with any.
func (p *Proxy) Requests(methods ...string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.seen), func(s string) bool {
		method, _, _ := strings.Cut(s, " ")
		return len(methods) > 0 && !slices.Contains(methods, method)
	})
}

// Taken returns the digests that the registry has accepted since the last call.
func (p *Proxy) Taken() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.taken
	p.taken = nil
	return taken
}

// Forget forgets the requests.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = nil
}

// Rest makes the proxy a plain one again, and forgets the requests.
func (p *Proxy) Rest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen, p.meddle, p.answer = nil, nil, nil
}
