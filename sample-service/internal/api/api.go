// Package api is the service over HTTP: routes, and what happens around every
// request. Handlers read a request, call one package that does the work, and
// answer JSON.
package api

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/klauspost/compress/gzhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"github.com/thimble-build/thimble/sample-service/internal/buildinfo"
	"github.com/thimble-build/thimble/sample-service/internal/fetch"
	"github.com/thimble-build/thimble/sample-service/internal/readiness"
	"github.com/thimble-build/thimble/sample-service/internal/telemetry"
)

// Options are what the handlers work with; all fields are needed.
type Options struct {
	Log            *slog.Logger
	Metrics        *telemetry.Metrics
	Tracer         trace.TracerProvider
	Gate           *readiness.Gate
	Fetch          *fetch.Client
	Limiter        *rate.Limiter // over /fetch and /upload together
	UploadMaxBytes int64
}

// API answers the service's requests.
type API struct {
	log       *slog.Logger
	metrics   *telemetry.Metrics
	gate      *readiness.Gate
	fetch     *fetch.Client
	limiter   *rate.Limiter
	uploadMax int64
	location  func(string) (*time.Location, error)
	now       func() time.Time
}

// New returns the service's handler.
func New(opts Options) http.Handler {
	a := &API{
		log:       opts.Log,
		metrics:   opts.Metrics,
		gate:      opts.Gate,
		fetch:     opts.Fetch,
		limiter:   opts.Limiter,
		uploadMax: opts.UploadMaxBytes,
		location:  time.LoadLocation,
		now:       time.Now,
	}
	return otelhttp.NewHandler(a.routes(), "http",
		otelhttp.WithTracerProvider(opts.Tracer),
		otelhttp.WithPropagators(propagation.TraceContext{}))
}

func (a *API) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(withRequestID, a.observe, a.recover, compress, middleware.GetHead)
	r.NotFound(a.handle(notFound))
	r.MethodNotAllowed(a.handle(methodNotAllowed))

	r.Get("/healthz", a.handle(healthz))
	r.Get("/readyz", a.handle(a.readyz))
	r.Method(http.MethodGet, "/metrics", a.metrics.Handler())
	r.Get("/version", a.handle(version))
	r.Get("/time", a.handle(a.time))
	r.Get("/fetch", a.handle(a.limit(a.fetchURL)))
	r.Post("/upload", a.handle(a.limit(a.upload)))
	return r
}

func compress(next http.Handler) http.Handler { return gzhttp.GzipHandler(next) }

func healthz(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (a *API) readyz(w http.ResponseWriter, r *http.Request) error {
	report := a.gate.Report(r.Context())
	if !report.Ready {
		return writeJSON(w, http.StatusServiceUnavailable, report)
	}
	return writeJSON(w, http.StatusOK, report)
}

func version(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, buildinfo.Read())
}

func notFound(_ http.ResponseWriter, _ *http.Request) error {
	return problem(http.StatusNotFound, "there is nothing here")
}

func methodNotAllowed(w http.ResponseWriter, r *http.Request) error {
	routes := chi.RouteContext(r.Context()).Routes
	methods := []string{http.MethodGet, http.MethodHead, http.MethodPost}
	allowed := slices.DeleteFunc(methods, func(m string) bool {
		if m == http.MethodHead {
			m = http.MethodGet
		}
		return !routes.Match(chi.NewRouteContext(), m, r.URL.Path)
	})
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return problem(http.StatusMethodNotAllowed, "use %s", strings.Join(allowed, " or "))
}
