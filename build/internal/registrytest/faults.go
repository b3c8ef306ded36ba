package registrytest

import (
	"bytes"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
)

// Fault changes one request to a registry, or its answer. It answers the request; next is the
// registry. If it does not apply to the request, it passes it on.
type Fault struct {
	Name string
	do   func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

// Faults are all kinds: an outage, a busy registry, an expired login, connections that break
// before and after the registry did its work, answers that are cut off, that never arrive or have
// other content, and a registry that wrongly says it has stored something.
var Faults = []Fault{
	{"500", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(500) }},
	{"500 after forwarding", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(500)
	}},
	{"429 with Retry-After", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(429)
	}},
	{"401", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(401) }},
	{"reset", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { Reset(w) }},
	{"reset after forwarding", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(httptest.NewRecorder(), r)
		Reset(w)
	}},
	{"truncated", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		change(w, r, next, func(_ http.Header, body []byte) []byte { return body[:len(body)/2] })
	}},
	{"stalled", func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}},
	{"stalled in the middle", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		change(w, r, next, func(_ http.Header, body []byte) []byte { return body[:len(body)/2] }, func() {
			if err := http.NewResponseController(w).Flush(); err == nil && r.Method == http.MethodGet {
				<-r.Context().Done()
			}
		})
	}},
	{"wrong digest", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		change(w, r, next, func(h http.Header, body []byte) []byte {
			if h.Get("Docker-Content-Digest") != "" {
				h.Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
			}
			if len(body) > 0 {
				body[len(body)/2] ^= 1
			}
			return body
		})
	}},
	{"201 without storing", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodPut && !(r.Method == http.MethodPost && r.URL.Query().Has("mount")) {
			next.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Location", r.URL.Path)
		w.WriteHeader(http.StatusCreated)
	}},
}

// change passes a request on, and its answer with another body; after comes before the end.
func change(w http.ResponseWriter, r *http.Request, next http.Handler, body func(http.Header, []byte) []byte,
	after ...func()) {
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, r)
	maps.Copy(w.Header(), answer.Header())
	changed := body(w.Header(), bytes.Clone(answer.Body.Bytes()))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(changed) // net/http ends the connection if the length differs
	for _, f := range after {
		f()
	}
}

// Reset breaks the connection of a request.
func Reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0) // a reset, not an end
		_ = conn.Close()
	}
}

// Sample returns which of n requests fail: a few, always the same ones, or all of them if the
// environment has THIMBLE_FAULTS=all.
func Sample(n, few int, seed uint64) []int {
	all := rand.New(rand.NewPCG(seed, 0)).Perm(n)
	for i := range all {
		all[i]++
	}
	if os.Getenv("THIMBLE_FAULTS") == "all" {
		slices.Sort(all)
		return all
	}
	return all[:min(few, n)]
}

// FailAt applies a fault to one request, counted from 1 since the last Forget. The returned
// function says whether that has happened.
func (p *Proxy) FailAt(k int, f Fault) (happened func() bool) {
	done := make(chan struct{})
	p.Meddle(func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n != k {
			return false
		}
		close(done)
		f.do(w, r, p.next)
		return true
	})
	return func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
}
