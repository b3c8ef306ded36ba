package command

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/thimble-build/thimble/sample-service/internal/buildinfo"
)

func TestSetFromEnv(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	addr := flags.String("addr", ":8080", "")
	allow := flags.Bool("allow-private-fetch", false, "")
	timeout := flags.Duration("fetch-timeout", time.Second, "")
	size := flags.Int64("fetch-max-bytes", 1, "")
	if err := flags.Parse([]string{"--addr=:1"}); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"SAMPLE_ADDR":                ":2",
		"SAMPLE_ALLOW_PRIVATE_FETCH": "true",
		"SAMPLE_FETCH_TIMEOUT":       "3s",
	}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	if err := setFromEnv(flags, lookup); err != nil {
		t.Fatal(err)
	}
	if *addr != ":1" || !*allow || *timeout != 3*time.Second || *size != 1 {
		t.Errorf("got %v %v %v %v", *addr, *allow, *timeout, *size)
	}

	env["SAMPLE_FETCH_MAX_BYTES"] = "many"
	if err := setFromEnv(flags, lookup); err == nil || !strings.Contains(err.Error(), "SAMPLE_FETCH_MAX_BYTES") {
		t.Errorf("got %v", err)
	}
}

func run(t *testing.T, args ...string) (string, error) {
	var out strings.Builder
	cmd := New(&out, io.Discard)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestVersion(t *testing.T) {
	out, err := run(t, "version")
	if err != nil {
		t.Fatal(err)
	}
	var info buildinfo.Info
	if err := json.Unmarshal([]byte(out), &info); err != nil || info.Go == "" {
		t.Errorf("%s: %v", out, err)
	}
}

func TestUnknownCommand(t *testing.T) {
	if _, err := run(t, "bogus"); err == nil {
		t.Error("no error")
	}
}

func TestHealthcheck(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	addr := s.Listener.Addr().String()
	port := addr[strings.LastIndex(addr, ":"):]
	for _, a := range []string{addr, port, "0.0.0.0" + port, "[::]" + port} {
		if _, err := run(t, "healthcheck", "--addr", a); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	t.Setenv("SAMPLE_ADDR", addr)
	if _, err := run(t, "healthcheck"); err != nil {
		t.Errorf("address from the environment: %v", err)
	}
	status = http.StatusServiceUnavailable
	if _, err := run(t, "healthcheck"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("unhealthy: %v", err)
	}
	s.Close()
	if _, err := run(t, "healthcheck"); err == nil {
		t.Error("nobody there: no error")
	}
	if _, err := run(t, "healthcheck", "--addr", "no-port"); err == nil {
		t.Error("no address: no error")
	}
}

func TestHealthcheckTimeout(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	if _, err := run(t, "healthcheck", "--addr", s.Listener.Addr().String(), "--timeout", "50ms"); err == nil {
		t.Error("no error")
	}
}
