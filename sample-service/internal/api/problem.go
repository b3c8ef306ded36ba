package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Problem is every error's shape on the wire (RFC 9457).
type Problem struct {
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// problem returns a Problem titled as the status is.
func problem(status int, format string, args ...any) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// errWrite marks an error that came after the answer had begun: the client is
// gone, and nobody is left to tell.
var errWrite = errors.New("write response")

// handler is an http.HandlerFunc that may fail before it has answered.
type handler func(http.ResponseWriter, *http.Request) error

// handle answers h's error with a Problem. What is no Problem is an internal
// error: the log has its text, the client does not.
func (a *API) handle(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		log := a.log.With("request_id", requestID(r.Context()))
		if errors.Is(err, errWrite) {
			log.DebugContext(r.Context(), "client is gone", "error", err)
			return
		}
		p, ok := errors.AsType[*Problem](err)
		if !ok {
			p = problem(http.StatusInternalServerError, "the log has more under this request's id")
		}
		if p.Status == http.StatusInternalServerError {
			log.ErrorContext(r.Context(), "request failed", "error", err)
		}
		body := *p
		body.RequestID = requestID(r.Context())
		if err := respond(w, "application/problem+json", p.Status, body); err != nil {
			log.DebugContext(r.Context(), "client is gone", "error", err)
		}
	}
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	return respond(w, "application/json", status, v)
}

func respond(w http.ResponseWriter, contentType string, status int, v any) error {
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(v); err != nil {
		return fmt.Errorf("encode response: %w", err)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", errWrite, err)
	}
	return nil
}
