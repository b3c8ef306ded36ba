package registry_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

const password = "planted-password-7d1f"

// secret is in what a registry says.
const secret = "planted-secret-93ab"

func silent(t testing.TB, err error) {
	t.Helper()
	for _, s := range []string{secret, password} {
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), s) {
			t.Errorf("the error has a secret: %v", err)
		}
	}
}

// basic asks for a name and password.
func basic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, got, _ := r.BasicAuth(); user != "dev" || got != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"errors":[{"code":"UNAUTHORIZED","message":"no %s"}]}`, secret)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func TestBasicLogin(t *testing.T) {
	host := registrytest.Serve(t, basic(registrytest.Handler(false)))
	dockerConfig(t, host, "dev", password)
	ok(t, release(context.Background(), repositoryOf(host), withKeychain(), made("basic")))

	dockerConfig(t, host, "dev", "not-"+password)
	err := release(context.Background(), repositoryOf(host), withKeychain(), made("basic"))
	if want := "push " + repositoryOf(host) + `: 401 unauthorized; log in with "docker login ` + host + `"`; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	var refusal *distribution.Error
	if !errors.As(err, &refusal) || refusal.Status != http.StatusUnauthorized {
		t.Errorf("it is no *Error: %v", err)
	}
	silent(t, err)
}

func TestPodmanAuth(t *testing.T) {
	host := registrytest.Serve(t, basic(registrytest.Handler(false)))
	folder := t.TempDir()
	setHome(t, folder)
	ok(t, os.MkdirAll(filepath.Join(folder, "containers"), 0o755))
	ok(t, os.WriteFile(filepath.Join(folder, "containers", "auth.json"),
		fmt.Appendf(nil, `{"auths":{%q:{"auth":"ZGV2OnBsYW50ZWQtcGFzc3dvcmQtN2QxZg=="}}}`, host), 0o600))
	ok(t, release(context.Background(), repositoryOf(host), withKeychain(), made("podman")))
}

func TestCredentialHelper(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the helper is a shell script")
	}
	host := registrytest.Serve(t, basic(registrytest.Handler(false)))
	folder := t.TempDir()
	setHome(t, folder)
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	ok(t, os.WriteFile(filepath.Join(folder, "config.json"), fmt.Appendf(nil, `{"credHelpers":{%q:"test"}}`, host), 0o600))
	helper := func(script string) {
		ok(t, os.WriteFile(filepath.Join(folder, "docker-credential-test"), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	helper(`echo '{"ServerURL":"x","Username":"dev","Secret":"` + password + `"}'`)
	ok(t, release(context.Background(), repositoryOf(host), withKeychain(), made("helper")))
	helper("echo " + secret + "; exit 1")
	_, err := registry.Open(context.Background(), repositoryOf(host), withKeychain())
	refused(t, err, "read the credentials for "+host)
	silent(t, err)
}

// tokens is a token service and a registry whose tokens are good for a few requests.
type tokens struct {
	next http.Handler
	host string
	uses int

	mu     sync.Mutex
	given  int
	left   int
	scopes []string
}

func (s *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Connection", "close") // on one that is used again, net/http itself rewinds a body
	if r.URL.Path == "/token" {
		if user, got, _ := r.BasicAuth(); user != "dev" || got != password {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, secret)
			return
		}
		s.given++
		s.left = s.uses
		s.scopes = r.URL.Query()["scope"]
		fmt.Fprintf(w, `{"token":"%s-%d"}`, secret, s.given)
		return
	}
	if r.Header.Get("Authorization") != fmt.Sprintf("Bearer %s-%d", secret, s.given) || s.left == 0 {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="test"`, s.host))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.left--
	s.next.ServeHTTP(w, r)
}

// A token that expires in the middle is replaced, also under a request with a body.
func TestTokensExpire(t *testing.T) {
	s := &tokens{next: registrytest.Handler(false), uses: 1}
	s.host = registrytest.Serve(t, s)
	dockerConfig(t, s.host, "dev", password)
	c, o := made("tokens"), withKeychain()
	o.MountFrom = []string{s.host + "/acme/base"}
	// Requests side by side use up each other's tokens, which three attempts may not
	// survive; so one after the other.
	r := open(t, repositoryOf(s.host), o)
	for _, a := range c.artifacts() {
		ok(t, r.Attach(context.Background(), []registry.Artifact{a}))
	}
	if s.given < 10 {
		t.Errorf("only %d tokens were asked for", s.given)
	}
	if got := strings.Join(s.scopes, " "); !strings.Contains(got, "repository:acme/api:push,pull") || !strings.Contains(got, "repository:acme/base:pull") {
		t.Errorf("the scopes were %s", got)
	}
	s.uses = 1000
	ok(t, release(context.Background(), repositoryOf(s.host), o, c))

	o.ReadOnly, o.MountFrom = true, nil
	must(open(t, repositoryOf(s.host), o).ReadBack(context.Background(), c.digest(), true))
	if got := strings.Join(s.scopes, " "); got != "repository:acme/api:pull" {
		t.Errorf("the scopes for reading were %s", got)
	}
	dockerConfig(t, s.host, "dev", "other")
	_, err := registry.Open(context.Background(), repositoryOf(s.host), o)
	refused(t, err, "pull "+repositoryOf(s.host)+": 401 unauthorized; log in")
	silent(t, err)
}

// Whatever a registry writes into its errors, ours have none of it.
func TestErrorsHoldNoSecret(t *testing.T) {
	testtool.NotShort(t)
	bodies := map[string]string{
		"text":    secret,
		"message": `{"errors":[{"code":"DENIED","message":"` + secret + `","detail":{"token":"` + secret + `"}}]}`,
		"code":    `{"errors":[{"code":"` + secret + `"},{"code":"` + strings.ToUpper(secret) + `"}]}`,
		"several": `{"errors":[{"code":"DENIED","message":"` + secret + `"},{"code":"UNKNOWN","message":"` + secret + `"}]}`,
		"html":    "<html>" + secret,
		"garbage": `{"token":` + secret,
	}
	all := testtool.Part(t, "it releases a thousand times")
	for i, name := range slices.Sorted(maps.Keys(bodies)) {
		body := bodies[name]
		for j, code := range []int{200, 201, 202, 301, 307, 400, 401, 403, 404, 405, 413, 415, 418, 500, 503} {
			if !all && i != j%len(bodies) {
				continue // each code once
			}
			t.Run(fmt.Sprint(name, " ", code), func(t *testing.T) {
				backing := registrytest.Handler(false)
				p, host := registrytest.Before(t, registrytest.Serve(t, backing))
				dockerConfig(t, host, "dev", password)
				c := made("secrets")
				ok(t, release(context.Background(), repositoryOf(host), withKeychain(), c))
				failed := 0
				for _, kind := range []string{"/v2/", "/uploads/", "/blobs/sha256:", "/manifests/sha256:", "/manifests/", "/referrers/"} {
					p.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool {
						if !strings.Contains(r.URL.Path, kind) || kind == "/v2/" && r.URL.Path != kind {
							return false
						}
						w.Header().Set("Location", "http://127.0.0.1:1/?signature="+secret)
						w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+host+`/v2/?x=`+secret+`",scope="`+secret+`"`)
						w.Header().Set("Content-Type", "application/"+secret)
						w.Header().Set("Docker-Content-Digest", secret)
						w.WriteHeader(code)
						fmt.Fprint(w, body)
						return true
					})
					for _, c := range []content{c, made("other")} {
						if err := release(context.Background(), repositoryOf(host), withKeychain(), c); err != nil {
							silent(t, err)
							failed++
						}
					}
				}
				if failed < 6 {
					t.Errorf("only %d releases failed", failed)
				}
			})
		}
	}
}

func TestNames(t *testing.T) {
	for repository, says := range map[string]string{
		"":                               "registry/path",
		"api":                            "registry/path",
		"acme/api":                       "registry/path",
		"ghcr.io/Acme/api":               `"ghcr.io/Acme/api"`,
		"ghcr.io/acme/api:v1":            "registry/path",
		"https://ghcr.io/acme/api":       "it is a URL",
		"dev:" + password + "@ghcr.io/a": `it has an "@"`,
		"ghcr.io/a?token=" + secret:      "it is a URL",
	} {
		_, err := registry.Open(context.Background(), repository, quick)
		refused(t, err, "parse the repository's name", says)
		silent(t, err)
	}
}

// A private registry's certificate authority comes from a file.
func TestCertificateAuthority(t *testing.T) {
	s := httptest.NewUnstartedServer(registrytest.Handler(true))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "https://")
	_, err := registry.Open(context.Background(), repositoryOf(host), quick)
	refused(t, err, "push "+repositoryOf(host), "certificate signed by unknown authority", "Config.Release.RegistryCAs")
	o := quick
	file := filepath.Join(t.TempDir(), "ca.pem")
	o.CAFiles = []string{file}
	_, err = registry.Open(context.Background(), repositoryOf(host), o)
	refused(t, err, "read certificate authorities", "no such file")
	ok(t, os.WriteFile(file, []byte("nothing"), 0o644))
	_, err = registry.Open(context.Background(), repositoryOf(host), o)
	refused(t, err, "has no certificate in PEM form")
	ok(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o644))
	ok(t, release(context.Background(), repositoryOf(host), o, made("tls")))
}

// Beyond loopback nothing is sent over plain HTTP unless Config allows it. The proxy stands in
// for a network.
func TestPlainHTTP(t *testing.T) {
	backing := registrytest.Handler(true)
	var mu sync.Mutex
	var plain []string
	network := registrytest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		mu.Lock()
		plain = append(plain, r.URL.String()+" "+r.UserAgent())
		mu.Unlock()
		backing.ServeHTTP(w, r)
	}))
	o := quick
	o.UserAgent = "thimble/1.0"
	o.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: network})
	for _, host := range []string{"10.1.2.3", "registry.example.com"} {
		_, err := registry.Open(context.Background(), host+"/acme/api", o)
		if err == nil || len(plain) > 0 {
			t.Fatalf("%s: %v, and %q went over the network", host, err, plain)
		}
		allowed := o
		allowed.Insecure = true
		ok(t, release(context.Background(), host+"/acme/api", allowed, made("plain")))
		if len(plain) == 0 || !strings.HasPrefix(plain[0], "http://"+host+"/v2/ thimble/1.0 go-containerregistry") {
			t.Errorf("%q went over the network", plain)
		}
		plain = nil
	}
}
