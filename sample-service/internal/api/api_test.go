package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/time/rate"

	"github.com/thimble-build/thimble/sample-service/internal/fetch"
	"github.com/thimble-build/thimble/sample-service/internal/readiness"
	"github.com/thimble-build/thimble/sample-service/internal/telemetry"
)

// fixture is a service whose parts a test may change before the first request.
type fixture struct {
	api *API
	log bytes.Buffer
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{}
	log := telemetry.NewLogger(&f.log, slog.LevelDebug)
	client := fetch.New(fetch.Options{Timeout: 5 * time.Second, MaxBytes: 1000, AllowPrivate: true})
	t.Cleanup(client.Close)
	f.api = &API{
		log: log, metrics: telemetry.NewMetrics(), gate: readiness.New(log), fetch: client,
		limiter: rate.NewLimiter(rate.Inf, 0), uploadMax: 1000, location: time.LoadLocation,
		now: func() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) },
	}
	return f
}

func (f *fixture) do(method, target string, body io.Reader) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.api.routes().ServeHTTP(w, httptest.NewRequest(method, target, body))
	return w
}

func (f *fixture) get(target string) *httptest.ResponseRecorder {
	return f.do(http.MethodGet, target, nil)
}

// want checks an answer's status and that every part is in its body, and for an
// error also its shape.
func want(t *testing.T, w *httptest.ResponseRecorder, status int, parts ...string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status is %d, want %d: %s", w.Code, status, w.Body)
	}
	for _, part := range parts {
		if !strings.Contains(w.Body.String(), part) {
			t.Errorf("%s is not in %s", part, w.Body)
		}
	}
	if status < 400 {
		return
	}
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != status || p.Title == "" || p.Detail == "" || p.RequestID != w.Header().Get("X-Request-Id") ||
		w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("no problem+json: %s (%v)", w.Body, w.Header())
	}
}

func TestHealthz(t *testing.T) {
	f := newFixture(t)
	want(t, f.get("/healthz"), http.StatusOK, `"ok"`)
	if w := f.do(http.MethodHead, "/healthz", nil); w.Code != http.StatusOK {
		t.Errorf("HEAD: %d", w.Code)
	}
}

func TestReadyz(t *testing.T) {
	f := newFixture(t)
	want(t, f.get("/readyz"), http.StatusOK, `"ready":true`)
	f.api.gate.Drain()
	w := f.get("/readyz")
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"draining":true`) {
		t.Errorf("draining: %d %s", w.Code, w.Body)
	}
	want(t, f.get("/healthz"), http.StatusOK)
}

func TestVersion(t *testing.T) {
	want(t, newFixture(t).get("/version"), http.StatusOK, `"go":"go1.`, `"modified":`)
}

func TestMetrics(t *testing.T) {
	f := newFixture(t)
	want(t, f.get("/time"), http.StatusOK)
	want(t, f.get("/nothing/here"), http.StatusNotFound)
	want(t, f.do("BREW", "/time", nil), http.StatusMethodNotAllowed)
	w := f.get("/metrics")
	want(t, w, http.StatusOK, "go_goroutines", "process_open_fds", "http_requests_in_flight 1",
		`http_request_duration_seconds_count{method="GET",route="/time",status="200"} 1`,
		`http_request_duration_seconds_count{method="none",route="none",status="404"} 1`)
	for _, unbounded := range []string{"BREW", "/nothing"} {
		if strings.Contains(w.Body.String(), unbounded) {
			t.Errorf("the client's %s became a label", unbounded)
		}
	}
}

func TestTime(t *testing.T) {
	f := newFixture(t)
	want(t, f.get("/time"), http.StatusOK, `"zone":"UTC"`, `"2026-07-01T12:00:00Z"`)
	want(t, f.get("/time?zone=Europe/Berlin"), http.StatusOK,
		`"Europe/Berlin"`, `"CEST"`, `7200`, `"2026-07-01T14:00:00+02:00"`, `1782907200`)
	for _, zone := range []string{"Mars/Olympus", "Local", "../../etc/passwd", "/etc/passwd", "Europe"} {
		want(t, f.get("/time?zone="+zone), http.StatusBadRequest)
	}
}

func TestTimeWithoutZoneDatabase(t *testing.T) {
	f := newFixture(t)
	f.api.location = func(name string) (*time.Location, error) {
		if name == "" {
			return time.UTC, nil
		}
		return nil, errors.New("unknown time zone " + name)
	}
	want(t, f.get("/time"), http.StatusOK)
	want(t, f.get("/time?zone=Europe/Berlin"), http.StatusInternalServerError, "no zone database")
}

func fetchTarget(target string) string { return "/fetch?url=" + url.QueryEscape(target) }

func upstream(t *testing.T, body string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := io.WriteString(w, body); err != nil {
			t.Log(err) // a client may stop reading
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestFetch(t *testing.T) {
	f := newFixture(t)
	want(t, f.get(fetchTarget(upstream(t, "hello").URL+"?secret=1")), http.StatusOK, `"status":200`, `"bytes":5`, `"sha256":"2cf24dba`)
	want(t, f.get("/metrics"), http.StatusOK, `sample_processed_bytes_total{kind="fetch"} 5`)
	if strings.Contains(f.log.String(), "secret") {
		t.Errorf("the log tells a secret: %s", &f.log)
	}
}

func TestFetchBadURL(t *testing.T) {
	f := newFixture(t)
	for _, target := range []string{"", "file:///etc/passwd", "https://user:secret@example.com/"} {
		w := f.get(fetchTarget(target))
		want(t, w, http.StatusBadRequest)
		if strings.Contains(w.Body.String()+f.log.String(), "secret") {
			t.Errorf("a secret is told: %s %s", w.Body, &f.log)
		}
	}
}

func TestFetchPrivate(t *testing.T) {
	f := newFixture(t)
	f.api.fetch = fetch.New(fetch.Options{Timeout: time.Second, MaxBytes: 1000})
	want(t, f.get(fetchTarget(upstream(t, "inside").URL)), http.StatusForbidden, "not public")
}

func TestFetchTooLarge(t *testing.T) {
	want(t, newFixture(t).get(fetchTarget(upstream(t, strings.Repeat("x", 1001)).URL)), http.StatusBadGateway, "too large")
}

func TestFetchUnknownAuthority(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.StartTLS()
	defer s.Close()
	want(t, newFixture(t).get(fetchTarget(s.URL)), http.StatusBadGateway, "certificate")
}

func TestFetchSlow(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	f := newFixture(t)
	f.api.fetch = fetch.New(fetch.Options{Timeout: 50 * time.Millisecond, MaxBytes: 1000, AllowPrivate: true})
	want(t, f.get(fetchTarget(s.URL)), http.StatusGatewayTimeout)
}

func TestFetchNobodyThere(t *testing.T) {
	s := upstream(t, "")
	s.Close()
	want(t, newFixture(t).get(fetchTarget(s.URL)), http.StatusBadGateway)
}

func TestUpload(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	f := newFixture(t)
	for size, status := range map[int]int{
		0:    http.StatusOK,
		1000: http.StatusOK,
		1001: http.StatusRequestEntityTooLarge,
	} {
		w := f.do(http.MethodPost, "/upload", strings.NewReader(strings.Repeat("x", size)))
		want(t, w, status)
		if status == http.StatusOK {
			want(t, w, status, fmt.Sprintf(`"bytes":%d,`, size), `"sha256":"`, `"text/plain`)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

func TestUploadWithoutTemporaryDirectory(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	want(t, newFixture(t).do(http.MethodPost, "/upload", strings.NewReader("x")),
		http.StatusInternalServerError, "create temporary file", "no such file or directory")
}

func TestUploadEndsEarly(t *testing.T) {
	body := io.MultiReader(strings.NewReader("half"), errReader{})
	want(t, newFixture(t).do(http.MethodPost, "/upload", body), http.StatusBadRequest, "ended early")
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestRateLimit(t *testing.T) {
	f := newFixture(t)
	f.api.limiter = rate.NewLimiter(0, 1)
	want(t, f.do(http.MethodPost, "/upload", strings.NewReader("x")), http.StatusOK)
	w := f.get(fetchTarget("http://example.com/"))
	want(t, w, http.StatusTooManyRequests)
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	want(t, f.get("/time"), http.StatusOK)
}

func TestMethodNotAllowed(t *testing.T) {
	f := newFixture(t)
	for target, allow := range map[string]string{"/time": "GET, HEAD", "/upload": "POST"} {
		w := f.do(http.MethodPut, target, nil)
		want(t, w, http.StatusMethodNotAllowed)
		if got := w.Header().Get("Allow"); got != allow {
			t.Errorf("%s: Allow is %q", target, got)
		}
	}
}

func TestRequestID(t *testing.T) {
	known := uuid.NewString()
	for sent, keep := range map[string]bool{known: true, "": false, "made up\"}": false} {
		f := newFixture(t)
		r := httptest.NewRequest(http.MethodGet, "/time", nil)
		r.Header.Set("X-Request-Id", sent)
		w := httptest.NewRecorder()
		f.api.routes().ServeHTTP(w, r)
		got := w.Header().Get("X-Request-Id")
		if err := uuid.Validate(got); err != nil || (got == sent) != keep {
			t.Errorf("sent %q, got %q", sent, got)
		}
		if !strings.Contains(f.log.String(), got) {
			t.Errorf("the log has no %s: %s", got, &f.log)
		}
	}
}

func TestLogLine(t *testing.T) {
	f := newFixture(t)
	want(t, f.get("/time?zone=Mars"), http.StatusBadRequest)
	var line map[string]any
	if err := json.Unmarshal(f.log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]any{"msg": "request", "method": "GET", "path": "/time", "status": 400.0} {
		if line[key] != value {
			t.Errorf("%s is %v, want %v", key, line[key], value)
		}
	}
	if _, ok := line["duration_ms"].(float64); !ok {
		t.Errorf("no duration: %v", line)
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	f := newFixture(t)
	f.api.now = func() time.Time { panic("broken clock") }
	w := f.get("/time")
	want(t, w, http.StatusInternalServerError)
	if strings.Contains(w.Body.String(), "clock") || !strings.Contains(f.log.String(), "broken clock") {
		t.Errorf("answered %s, logged %s", w.Body, &f.log)
	}
}

func TestCompression(t *testing.T) {
	f := newFixture(t)
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	New(Options{
		Log: f.api.log, Metrics: f.api.metrics, Gate: f.api.gate, Fetch: f.api.fetch, Limiter: f.api.limiter,
		UploadMaxBytes: 1000, Tracer: noop.NewTracerProvider(),
	}).ServeHTTP(w, r)
	if got := w.Header().Get("Content-Encoding"); w.Code != http.StatusOK || got != "gzip" {
		t.Errorf("%d with Content-Encoding %q", w.Code, got)
	}
}
