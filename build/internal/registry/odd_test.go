package registry_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

type meddler = func(w http.ResponseWriter, r *http.Request) bool

// at answers requests whose method and path match with a status.
func at(method, path string, code int) meddler {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.Contains(r.URL.Path, path) {
			return false
		}
		w.WriteHeader(code)
		return true
	}
}

// odd is a registry that is odd, or a proxy or storage: other clients push there.
type odd struct {
	name   string
	meddle meddler
	answer func(*http.Response) error
}

func odds() []odd {
	var all []odd
	for _, code := range []int{200, 302, 400, 401, 403, 404, 405, 429, 500, 501, 503} {
		all = append(all, odd{name: fmt.Sprintf("%d for cancelling an upload", code), meddle: at(http.MethodDelete, "/uploads/", code)})
	}
	all = append(all, odd{name: "a reset for cancelling an upload", meddle: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			reset(w)
		}
		return r.Method == http.MethodDelete
	}}, odd{name: "no answer to cancelling an upload", meddle: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			<-r.Context().Done()
		}
		return r.Method == http.MethodDelete
	}})
	for _, code := range []int{400, 401, 403, 405, 406, 501} {
		for _, path := range []string{"/", "/manifests/", "/blobs/"} {
			all = append(all, odd{name: fmt.Sprintf("%d for HEAD of %s", code, path), meddle: at(http.MethodHead, path, code)})
		}
	}
	for _, code := range []int{400, 401, 403, 404, 405, 406, 500, 501, 503} {
		all = append(all, odd{name: fmt.Sprintf("%d for referrers", code), meddle: at(http.MethodGet, "/referrers/", code)})
	}
	all = append(all, odd{name: "a web page for referrers", meddle: func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/referrers/") {
			_, _ = io.WriteString(w, "<html>")
		}
		return strings.Contains(r.URL.Path, "/referrers/")
	}})
	for _, mediaType := range []string{"", "application/json", "text/plain; charset=utf-8", "application/octet-stream", "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"} {
		all = append(all, odd{name: "manifests as " + mediaType, answer: func(resp *http.Response) error {
			if read := resp.Request.Method == http.MethodGet || resp.Request.Method == http.MethodHead; read && strings.Contains(resp.Request.URL.Path, "/manifests/") {
				resp.Header.Set("Content-Type", mediaType)
			}
			return nil
		}, meddle: func(w http.ResponseWriter, r *http.Request) bool {
			strict := r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && !strings.Contains(r.Header.Get("Content-Type"), "vnd.")
			if strict {
				w.WriteHeader(http.StatusBadRequest)
			}
			return strict
		}})
	}
	for _, header := range []string{"Docker-Content-Digest", "Content-Type", "Date", "Docker-Distribution-Api-Version"} {
		all = append(all, odd{name: "no " + header, answer: func(resp *http.Response) error {
			resp.Header.Del(header)
			return nil
		}})
	}
	location := func(change func(u *url.URL) string) func(resp *http.Response) error {
		return func(resp *http.Response) error {
			if u, err := resp.Location(); err == nil {
				resp.Header.Set("Location", change(u))
			}
			return nil
		}
	}
	return append(all,
		odd{name: "locations without a host", answer: location((*url.URL).RequestURI)},
		odd{name: "locations with a query", answer: location(func(u *url.URL) string {
			q := u.Query()
			q.Set("extra", "a+b/c=&d")
			u.RawQuery = q.Encode()
			return u.String()
		})},
		odd{name: "no locations of manifests", answer: func(resp *http.Response) error {
			if strings.Contains(resp.Request.URL.Path, "/manifests/") {
				resp.Header.Del("Location")
			}
			return nil
		}},
	)
}

// What is optional never stops a release: another client would push there.
func TestOddRegistries(t *testing.T) {
	testtool.NotShort(t)
	o := quick
	o.Optional = 50 * time.Millisecond
	for i, kind := range kinds[:3] {
		t.Run(kind.name, func(t *testing.T) {
			if i != 1 {
				testtool.OnRequest(t, "it releases many times")
			}
			host := kind.start(t)
			for _, odd := range odds() {
				t.Run(odd.name, func(t *testing.T) {
					if !strings.HasPrefix(kind.name, "distribution") { // these have one store of blobs
						host = kind.start(t)
					}
					p, through := registrytest.Before(t, host)
					p.Answer(odd.answer)
					if odd.meddle != nil {
						p.Meddle(always(odd.meddle))
					}
					path := "/odd/" + strings.Map(func(r rune) rune {
						if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
							return r
						}
						return -1
					}, strings.ToLower(odd.name))
					c := made("odd " + odd.name)
					ok(t, release(context.Background(), through+path, o, c))
					puts := len(p.Requests(http.MethodPut))
					ok(t, release(context.Background(), through+path, o, c))
					if again := len(p.Requests(http.MethodPut)); again != puts {
						t.Errorf("the second release wrote: %q", p.Requests(http.MethodPut)[puts:])
					}
					if got := must(open(t, through+path, o).Referrers(t.Context(), c.digest())); len(got) != 2 {
						t.Errorf("%d referrers are listed", len(got))
					}
				})
			}
		})
	}
}

// A mount that fails, in whatever way, leads to an upload.
func TestMountsThatFail(t *testing.T) {
	mount := func(code int) meddler {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !r.URL.Query().Has("mount") {
				return false
			}
			if code == http.StatusAccepted {
				return false // and nothing is mounted: the query is ignored
			}
			w.WriteHeader(code)
			return true
		}
	}
	cases := map[string]meddler{"a web page": func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/acme/base/") {
			_, _ = io.WriteString(w, "<html>")
		}
		return strings.Contains(r.URL.Path, "/acme/base/")
	}}
	for _, code := range []int{201, 202, 400, 401, 403, 404, 405, 429, 500, 503} {
		cases[fmt.Sprintf("%d for the mount", code)] = mount(code)
		cases[fmt.Sprintf("%d for the base", code)] = at(http.MethodHead, "/acme/base/", code)
	}
	host := registrytest.Distribution(t)
	for name, meddle := range cases {
		t.Run(name, func(t *testing.T) {
			p, through := registrytest.Before(t, host)
			c := made("mount " + name)
			ok(t, release(t.Context(), through+"/acme/base", quick, made("base")))
			ok(t, open(t, through+"/acme/base", quick).Push(t.Context(), c.index))
			p.Meddle(always(meddle))
			o := quick
			o.MountFrom = []string{through + "/acme/base"}
			repository := through + "/mounts/" + strings.ReplaceAll(strings.ToLower(name), " ", "")
			ok(t, release(t.Context(), repository, o, c))
			finished(t, repository, c)
		})
	}
}

// A token service that gives no token for several repositories gives one for ours.
func TestTokenForOneRepository(t *testing.T) {
	for _, code := range []int{400, 401, 403, 404, 500} {
		for _, uses := range []int{3, 1000} {
			t.Run(fmt.Sprint(code, " ", uses), func(t *testing.T) {
				s := &tokens{next: registrytest.Handler(false), uses: uses}
				s.host = registrytest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if scopes := r.URL.Query()["scope"]; r.URL.Path == "/token" && len(scopes) > 1 {
						w.WriteHeader(code)
						return
					}
					s.ServeHTTP(w, r)
				}))
				dockerConfig(t, s.host, "dev", password)
				o, c := withKeychain(), made("one")
				o.MountFrom = []string{s.host + "/acme/base", s.host + "/other/base"}
				r := open(t, repositoryOf(s.host), o)
				for _, a := range c.artifacts() {
					ok(t, r.Attach(t.Context(), []registry.Artifact{a}))
				}
				if !slices.Equal(s.scopes, []string{"repository:acme/api:push,pull"}) {
					t.Errorf("the scopes are %q", s.scopes)
				}
			})
		}
	}
}

// Blobs are often at another host, which must not get the registry's credentials, and
// which refuses a HEAD with a signature that is for GET.
func TestRedirectedBlobs(t *testing.T) {
	backing := registrytest.Serve(t, registrytest.Handler(false))
	var mu sync.Mutex
	var told []string
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: backing})
	storage := registrytest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if auth := r.Header.Get("Authorization"); auth != "" {
			mu.Lock()
			told = append(told, auth)
			mu.Unlock()
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	p, host := registrytest.Before(t, registrytest.Serve(t, basic(forward)))
	p.Meddle(always(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet && r.Method != http.MethodHead || !strings.Contains(r.URL.Path, "/blobs/sha256:") || r.Header.Get("Authorization") == "" {
			return false
		}
		http.Redirect(w, r, "http://"+storage+r.URL.Path+"?X-Amz-Signature=abc%2Bdef", http.StatusTemporaryRedirect)
		return true
	}))
	dockerConfig(t, host, "dev", password)
	c := made("redirected")
	ok(t, release(t.Context(), repositoryOf(host), withKeychain(), c))
	ok(t, release(t.Context(), repositoryOf(host), withKeychain(), c))
	if len(told) > 0 {
		t.Errorf("the storage was told %q", told)
	}
}
