package api

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"github.com/thimble-build/thimble/sample-service/internal/fetch"
)

// fetchURL fetches ?url= and says what it found.
func (a *API) fetchURL(w http.ResponseWriter, r *http.Request) error {
	rawURL := r.URL.Query().Get("url")
	if rawURL == "" {
		return problem(http.StatusBadRequest, "the query has no url")
	}
	result, err := a.fetch.Get(r.Context(), rawURL)
	if err != nil {
		return fetchProblem(err)
	}
	a.metrics.Processed("fetch", result.Bytes)
	return writeJSON(w, http.StatusOK, result)
}

func fetchProblem(err error) error {
	switch {
	case errors.Is(err, fetch.ErrURL):
		return problem(http.StatusBadRequest, "%v", err)
	case errors.Is(err, fetch.ErrRefused):
		return problem(http.StatusForbidden, "%v", fetch.ErrRefused)
	case errors.Is(err, context.DeadlineExceeded):
		return problem(http.StatusGatewayTimeout, "the other side took too long")
	case errors.Is(err, context.Canceled):
		return errors.Join(errWrite, err)
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return problem(http.StatusGatewayTimeout, "the other side took too long")
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return problem(http.StatusBadGateway, "the host's name does not resolve")
	}
	if ce, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return problem(http.StatusBadGateway, "certificate not trusted: %v", ce.Err)
	}
	return problem(http.StatusBadGateway, "%v", err)
}
