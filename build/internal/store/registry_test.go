package store

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// A registry is reached through the proxy of the session's environment.
func TestProxy(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = append(asked, r.Method+" "+r.URL.String()) }))
	defer proxy.Close()
	s, err := session.Open(t.Context(), session.Settings{
		Config: plan.Config{Release: plan.ReleaseConfig{Insecure: true}}, Cache: t.TempDir(),
		Env: []string{"HTTP_PROXY=" + proxy.URL, "HTTPS_PROXY=http://127.0.0.1:1", "HOME=" + t.TempDir()},
	})
	if err != nil {
		t.Fatal(err)
	}
	repo, err := OpenRepository(t.Context(), s, "registry.example.com/acme/api", nil, true)
	if err != nil {
		t.Fatal(err)
	}
	repo.Close()
	if got := strings.Join(asked, ", "); got != "GET http://registry.example.com/v2/" {
		t.Errorf("the proxy was asked for %q", got)
	}
}
