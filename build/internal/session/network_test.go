package session_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/session"
)

// The proxy is that of the session's environment, with its password, which no child sees; not that
// of this process.
func TestProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
		_, _ = io.WriteString(w, r.URL.String()+" "+user+":"+password)
	}))
	defer proxy.Close()
	host := strings.TrimPrefix(proxy.URL, "http://")
	for _, env := range [][]string{
		{"HTTP_PROXY=http://me:secret@" + host},
		{"http_proxy=http://me:secret@" + host, "HTTP_PROXY=http://127.0.0.1:1"},
		{"HTTP_PROXY=me:secret@" + host, "NO_PROXY=registry.example.org,.other.example.com"},
	} {
		s, err := session.Open(t.Context(), session.Settings{Cache: t.TempDir(), Env: env})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.Join(s.Env, " "), "secret") {
			t.Errorf("children see %q", s.Env)
		}
		resp, err := s.Client().Get("http://registry.example.com/v2/")
		if err != nil {
			t.Errorf("%q: %v", env, err)
			continue
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := "http://registry.example.com/v2/ me:secret"; string(got) != want || err != nil {
			t.Errorf("%q: %s, want %s: %v", env, got, want, err)
		}
	}
	for url, want := range map[string]string{
		"https://registry.example.com": "http://secure.example.com", "http://registry.example.com": "http://plain.example.com",
		"https://in.example.com": "", "https://in.example.com:444": "", "https://10.1.2.3": "", "http://localhost:5000": "", "https://127.0.0.1": "",
	} {
		s, err := session.Open(t.Context(), session.Settings{Cache: t.TempDir(), Env: []string{
			"HTTPS_PROXY=http://secure.example.com", "HTTP_PROXY=plain.example.com", "NO_PROXY=in.example.com,10.0.0.0/8",
		}})
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodGet, url, nil)
		found, err := s.Proxy()(req)
		got := ""
		if found != nil {
			got = found.String()
		}
		if err != nil || got != want {
			t.Errorf("%s goes through %q, want %q: %v", url, got, want, err)
		}
	}
	offline, err := session.Open(t.Context(), session.Settings{Cache: t.TempDir(), Env: []string{"HTTPS_PROXY=http://127.0.0.1:1", "GOPROXY=off"}, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	if offline.Proxy() != nil {
		t.Error("there is a proxy with -offline")
	}
}
