package offline_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

func TestCheck(t *testing.T) {
	for address, allowed := range map[string]bool{
		"localhost:5000":                  true,
		"LOCALHOST.":                      true,
		"registry.localhost":              true,
		"127.0.0.1":                       true,
		"127.8.9.1:80":                    true,
		"[::1]:443":                       true,
		"::1":                             true,
		"http://localhost:3000/api":       true,
		"unix:///var/run/docker.sock":     true,
		"npipe:////./pipe/docker_engine":  true,
		"ghcr.io":                         false,
		"https://rekor.example.com":       false,
		"http://localhost@example.com/":   false,
		"http://localhost.example.com/":   false,
		"ssh://me@build.example.com":      false,
		"tcp://10.0.0.1:2375":             false,
		"awskms:///alias/release":         false,
		"0.0.0.0:80":                      false,
		"127.0.0.1.example.com":           false,
		"https://[fe80::1]":               false,
		"hashivault://key":                false,
		"://":                             false,
		"https://exa mple.com/%zz":        false,
		"":                                false,
		"notlocalhost":                    false,
		"https://user:pw@127.0.0.1:9/x?y": true,
	} {
		err := offline.Check(address)
		if allowed != (err == nil) {
			t.Errorf("Check(%q) = %v", address, err)
		}
		if err != nil && (!errors.Is(err, offline.ErrOffline) || strings.Contains(err.Error(), "pw")) {
			t.Errorf("Check(%q) = %v", address, err)
		}
	}
}

func TestTransport(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://example.com/", http.StatusFound)
		}
	}))
	defer server.Close()
	t.Setenv("HTTP_PROXY", server.URL) // would ask others
	client := &http.Client{Transport: offline.Transport()}
	for _, url := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)} {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	for _, url := range []string{"http://example.com/x", "https://192.0.2.1/", server.URL + "/away"} {
		_, err := client.Get(url)
		refused := new(offline.Error)
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "-offline does not allow it") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestLocalhost wants the IPv6 address where nothing answers at the other.
func TestLocalhost(t *testing.T) {
	testtool.OnRequest(t, "IPv6")
	six, err := net.Listen("tcp", "[::1]:0")
	testtool.Require(t, err == nil, "IPv6")
	defer six.Close()
	_, port, err := net.SplitHostPort(six.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := offline.DialContext(context.Background(), "tcp", "localhost:"+port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestProcess runs itself again, since Process cannot be undone.
func TestProcess(t *testing.T) {
	if os.Getenv("OFFLINE_TEST") == "" {
		cmd := testtool.Command(t, os.Args[0], "-test.run=^TestProcess$")
		cmd.Env = append(os.Environ(), "OFFLINE_TEST=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	kept := &http.Client{}
	offline.Process()
	if _, err := kept.Get("http://192.0.2.1/"); !errors.Is(err, offline.ErrOffline) {
		t.Errorf("the default client: %v", err)
	}
	if _, err := net.LookupHost("example.com"); err == nil || !strings.Contains(err.Error(), "-offline") {
		t.Errorf("a name is looked up: %v", err)
	}
}

func TestEnv(t *testing.T) {
	for goproxy, want := range map[string]string{
		"":                                      "off",
		"off":                                   "off",
		"direct":                                "off",
		"https://example.com,direct":            "off",
		"file:///srv/proxy|https://example.com": "file:///srv/proxy,off",
		"http://localhost:3000, file:///a ,https://b.example": "http://localhost:3000,file:///a,off",
	} {
		env := offline.Env([]string{"A=B", "GOPROXY=x", "https_proxy=http://corp:3128"}, goproxy)
		if !slices.Contains(env, "A=B") {
			t.Error("the environment is lost")
		}
		if got := last(env, "GOPROXY"); got != want {
			t.Errorf("GOPROXY of %q is %q, want %q", goproxy, got, want)
		}
		if got := last(env, "https_proxy"); !strings.HasPrefix(got, "http://127.0.0.1:") {
			t.Errorf("https_proxy is %q", got)
		}
	}
}

// TestGo asks the real go command for a private module and for another toolchain.
func TestGo(t *testing.T) {
	for _, test := range []struct{ args, env []string }{
		{[]string{"list", "-m", "private.example.com/x@latest"}, []string{"GOPRIVATE=private.example.com"}},
		{[]string{"list", "-m", "example.com/x.git@latest"}, []string{"GOPRIVATE=*"}},
		{[]string{"version"}, []string{"GOTOOLCHAIN=go1.99.9", "GOSUMDB=sum.golang.org"}},
	} {
		cmd := testtool.Command(t, "go", test.args...)
		cmd.Dir, cmd.Env = t.TempDir(), offline.Env(append(append(os.Environ(), "GOMODCACHE="+t.TempDir(), "GOFLAGS=-modcacherw"), test.env...), "https://example.com,direct")
		out, err := cmd.CombinedOutput()
		refused := strings.Contains(string(out), "GOPROXY=off") || strings.Contains(string(out), "toolchain not available")
		if err == nil || !refused {
			t.Errorf("%v: %v\n%s", test.args, err, out)
		}
	}
}

// TestGit asks the real git for another machine.
func TestGit(t *testing.T) {
	for _, url := range []string{"https://example.com/x.git", "ssh://example.com/x.git", "git://example.com/x.git"} {
		cmd := testtool.Command(t, "git", "ls-remote", url)
		cmd.Env = offline.Env(os.Environ(), "")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "not allowed") {
			t.Errorf("%s: %v\n%s", url, err, out)
		}
	}
}

func last(env []string, name string) string {
	for _, e := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}
