package distribution

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// outages are the statuses that may be temporary.
var outages = []int{http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
	http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, 499, 522}

// temporary reports whether another attempt may succeed. An upload starts over, because its
// session may be lost, and the data that arrived may be broken.
func temporary(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if answer := new(transport.Error); errors.As(err, &answer) {
		return slices.Contains(outages, answer.StatusCode) ||
			slices.ContainsFunc(answer.Errors, func(d transport.Diagnostic) bool {
				return d.Code == transport.BlobUploadInvalidErrorCode ||
					d.Code == transport.BlobUploadUnknownErrorCode
			})
	}
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.EPIPE,
		syscall.ECONNRESET, net.ErrClosed} {
		if errors.Is(err, broken) {
			return true
		}
	}
	slow := net.Error(nil)
	return errors.As(err, &slow) && slow.Timeout()
}

// Outage reports whether a status may be temporary.
func Outage(status int) bool { return slices.Contains(outages, status) }

// retryAfter returns how long the registry asks us to wait (RFC 9110, section 10.2.3).
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(seconds, 1<<20)) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return date.Sub(now)
	}
	return 0
}

// Sleep waits, or returns the cause if ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
