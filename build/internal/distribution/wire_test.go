package distribution

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// How long is waited is seen by the waits that are asked for, not by a clock.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	answers := []struct {
		status int
		after  string
	}{
		{429, "7"}, {503, now.Add(30 * time.Second).Format(http.TimeFormat)}, {429, "100000"}, {429, "soon"}, {429, "-5"}, {500, "9"}, {200, "11"},
	}
	n := 0
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != "content" {
			t.Errorf("request %d has the body %q, %v", n, body, err)
		}
		a := answers[n]
		n++
		w.Header().Set("Retry-After", a.after)
		w.WriteHeader(a.status)
	}))
	defer registry.Close()
	r, err := Open(context.Background(), strings.TrimPrefix(registry.URL, "http://")+"/acme/api", Options{
		Now:     func() time.Time { return now },
		Backoff: remote.Backoff{Duration: time.Millisecond, Steps: len(answers)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var waits []time.Duration
	r.wire.sleep = func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}
	if err := r.Put(context.Background(), "v1", []byte("content"), "application/x"); err != nil {
		t.Fatal(err)
	}
	if want := []time.Duration{7 * time.Second, 30 * time.Second}; !slices.Equal(waits, want) || n != len(answers) {
		t.Errorf("waited %v in %d requests, want %v", waits, n, want)
	}
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "api.localhost:80": true, "127.0.0.1": true, "127.9.9.9:5000": true,
		"[::1]:5000": true, "10.0.0.1:5000": false, "192.168.1.1": false, "ghcr.io": false, "localhost.example.com": false,
		"127.0.0.1.example.com": false,
	} {
		if isLoopback(host) != want {
			t.Errorf("%s: want %v", host, want)
		}
	}
}

// A registry elsewhere does not lead requests to the servers of this machine.
func TestRedirectToThisMachine(t *testing.T) {
	asked := 0
	here := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer here.Close()
	elsewhere := httptest.NewTLSServer(http.RedirectHandler(here.URL, http.StatusTemporaryRedirect))
	defer elsewhere.Close()
	for _, test := range []struct {
		registry string
		insecure bool
		want     int
	}{{"registry.example.com", false, 0}, {"registry.example.com", true, 1}, {"localhost:5000", false, 1}} {
		asked = 0
		host, err := name.NewRegistry(test.registry)
		if err != nil {
			t.Fatal(err)
		}
		w, err := newWire(host, Options{Insecure: test.insecure}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		w.base.TLSClientConfig = elsewhere.Client().Transport.(*http.Transport).TLSClientConfig
		resp, err := (&http.Client{Transport: w}).Get(elsewhere.URL + "/v2/")
		if err == nil {
			resp.Body.Close()
		}
		if asked != test.want || (err == nil) != (test.want == 1) || err != nil && !errors.Is(err, errPlain) {
			t.Errorf("%+v: %d requests, %v", test, asked, err)
		}
		w.base.CloseIdleConnections()
	}
}
