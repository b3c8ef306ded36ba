package service

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func testConfig() Config {
	var cfg Config
	cfg.Bind(pflag.NewFlagSet("", pflag.ContinueOnError)) // for the defaults
	cfg.Addr = "127.0.0.1:0"
	return cfg
}

// start runs a service; stop tells it to end and returns what Run returned.
func start(t *testing.T, cfg Config) (s *Service, stop func() error) {
	t.Helper()
	s, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() error { cancel(); return <-done }
}

func get(t *testing.T, s *Service, path string) int {
	t.Helper()
	res, err := http.Get("http://" + s.Addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	return res.StatusCode
}

// upload begins an upload that ends when the returned writer is closed, and
// returns once the server has taken its first part.
func upload(t *testing.T, s *Service) (body io.WriteCloser, status func() (int, error)) {
	t.Helper()
	r, w := io.Pipe()
	type answer struct {
		status int
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		req, err := http.NewRequest("POST", "http://"+s.Addr().String()+"/upload", r)
		if err != nil {
			answers <- answer{0, err}
			return
		}
		// The body is only sent once the handler reads it, so that after the first
		// write below the request is in flight for certain.
		req.Header.Set("Expect", "100-continue")
		client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
		res, err := client.Do(req)
		if err != nil {
			answers <- answer{0, err}
			return
		}
		answers <- answer{res.StatusCode, res.Body.Close()}
	}()
	if _, err := io.WriteString(w, strings.Repeat("x", 1<<20)); err != nil {
		t.Fatal(err)
	}
	return w, func() (int, error) { a := <-answers; return a.status, a.err }
}

func TestShutdownLetsRequestsEnd(t *testing.T) {
	cfg := testConfig()
	cfg.DrainDelay = time.Second // time enough to ask twice, on a busy machine too
	s, stop := start(t, cfg)
	if got := get(t, s, "/readyz"); got != http.StatusOK {
		t.Errorf("/readyz while serving: %d", got)
	}
	body, status := upload(t, s)
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()

	for get(t, s, "/readyz") != http.StatusServiceUnavailable {
		time.Sleep(5 * time.Millisecond)
	}
	if got := get(t, s, "/healthz"); got != http.StatusOK {
		t.Errorf("/healthz while draining: %d", got)
	}
	for { // until no new connection is taken
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			break
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if got, err := status(); got != http.StatusOK || err != nil {
		t.Errorf("the upload ended with %d, %v", got, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestShutdownEndsAtTheDeadline(t *testing.T) {
	cfg := testConfig()
	cfg.ShutdownTimeout = 100 * time.Millisecond
	s, stop := start(t, cfg)
	body, status := upload(t, s) // does not end by itself
	if err := stop(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if got, err := status(); err == nil {
		t.Errorf("the upload ended with %d", got)
	}
}

func TestStopBeforeServing(t *testing.T) {
	cfg := testConfig()
	cfg.GRPCAddr = "127.0.0.1:0"
	s, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestGRPCHealth(t *testing.T) {
	cfg := testConfig()
	cfg.GRPCAddr = "127.0.0.1:0"
	s, stop := start(t, cfg)
	conn, err := grpc.NewClient(s.grpc.addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	watch, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	until := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for {
			res, err := watch.Recv()
			if err != nil {
				t.Fatalf("before %v: %v", want, err)
			}
			if res.GetStatus() == want {
				return
			}
		}
	}
	until(healthpb.HealthCheckResponse_SERVING)
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	until(healthpb.HealthCheckResponse_NOT_SERVING)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestReadyzAsksRedis(t *testing.T) {
	cfg := testConfig()
	cfg.RedisURL = "redis://" + unusedAddr(t)
	s, stop := start(t, cfg)
	if got := get(t, s, "/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("/readyz without Redis: %d", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A collector that is not there costs a warning, never a request or the exit status.
func TestTracingWithoutCollector(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+unusedAddr(t))
	cfg := testConfig()
	cfg.ShutdownTimeout = 200 * time.Millisecond
	var log bytes.Buffer
	s, err := New(t.Context(), cfg, slog.New(slog.NewJSONHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if got := get(t, s, "/time"); got != http.StatusOK {
		t.Errorf("/time: %d", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, part := range []string{`"trace_id":"`, "flush traces"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("%s is not in %s", part, &log)
		}
	}
}

func TestBadConfig(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no limit":                         func(c *Config) { c.FetchMaxBytes = 0 },
		"drain longer than shutdown":       func(c *Config) { c.DrainDelay = c.ShutdownTimeout },
		"Redis URL":                        func(c *Config) { c.RedisURL = "host:port" },
		"HTTP address":                     func(c *Config) { c.Addr = "nowhere" },
		"gRPC address after HTTP is there": func(c *Config) { c.GRPCAddr = "nowhere" },
	} {
		cfg := testConfig()
		change(&cfg)
		if _, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func unusedAddr(t *testing.T) string {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listen.Close(); err != nil {
		t.Fatal(err)
	}
	return listen.Addr().String()
}
