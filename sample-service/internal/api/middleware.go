package api

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

type requestIDKey struct{}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// withRequestID keeps the id of an upstream proxy if it is a UUID, and gives
// the request a new one otherwise: what goes to the log is not the client's.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := uuid.Parse(r.Header.Get("X-Request-Id"))
		if err != nil {
			id = uuid.New()
		}
		w.Header().Set("X-Request-Id", id.String())
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id.String())))
	})
}

// observe logs, counts and traces a request. It never logs the query, which may
// hold a URL with secrets.
func (a *API) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		end := a.metrics.Begin()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)

		defer func() {
			took := time.Since(start)
			status := ww.Status()
			if status == 0 {
				status = http.StatusOK
			}
			route, method := chi.RouteContext(r.Context()).RoutePattern(), r.Method
			if route == "" {
				route, method = "none", "none" // anything a client may think of
			}
			end(route, method, status, took)

			span := trace.SpanFromContext(r.Context())
			span.SetName(method + " " + route)
			span.SetAttributes(attribute.String("http.route", route))

			attrs := []slog.Attr{
				slog.String("request_id", requestID(r.Context())),
				slog.String("method", r.Method),
				slog.String("path", r.URL.Path),
				slog.Int("status", status),
				slog.Int("bytes", ww.BytesWritten()),
				slog.Float64("duration_ms", float64(took.Microseconds())/1000),
				slog.String("remote", r.RemoteAddr),
			}
			if sc := span.SpanContext(); sc.IsValid() {
				attrs = append(attrs, slog.String("trace_id", sc.TraceID().String()))
			}
			a.log.LogAttrs(r.Context(), level(route), "request", attrs...)
		}()
		next.ServeHTTP(ww, r)
	})
}

// level keeps what asks every few seconds out of an ordinary log.
func level(route string) slog.Level {
	switch route {
	case "/healthz", "/readyz", "/metrics":
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// recover turns a panic into a logged 500.
func (a *API) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			a.log.ErrorContext(r.Context(), "handler panicked", "request_id", requestID(r.Context()),
				"panic", v, "stack", string(debug.Stack()))
			if ww, ok := w.(middleware.WrapResponseWriter); ok && ww.Status() != 0 {
				panic(http.ErrAbortHandler) // a broken answer must not look whole
			}
			a.handle(func(http.ResponseWriter, *http.Request) error {
				return problem(http.StatusInternalServerError, "the log has more under this request's id")
			})(w, r)
		}()
		next.ServeHTTP(w, r)
	})
}

// limit refuses requests beyond the rate the service was given.
func (a *API) limit(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !a.limiter.Allow() {
			w.Header().Set("Retry-After", "1")
			return problem(http.StatusTooManyRequests, "try again in a second")
		}
		return next(w, r)
	}
}
