package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// wire is what lies between go-containerregistry's login and retries and the network:
// it keeps plain HTTP to the hosts that may have it, sends a body whole each time a
// request is made again, waits as long as a busy registry asks, and counts bytes.
type wire struct {
	base     *http.Transport
	insecure string // the host beside loopback that may have plain HTTP
	progress func(int64)
	pace     Pace
	now      func() time.Time
	sleep    func(context.Context, time.Duration) error
}

// maxWait is the longest that we wait because a registry asks.
const maxWait = 2 * time.Minute

var errPlain = errors.New("plain HTTP is allowed only for localhost; set Config.Release.Insecure")

func newWire(registry name.Registry, o Options) (*wire, error) {
	w := &wire{progress: o.Progress, pace: o.Pace.orUsual(), now: o.Now, sleep: sleep}
	if o.Insecure {
		w.insecure = registry.RegistryStr()
	}
	dial := o.DialContext
	if dial == nil {
		dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	w.base = &http.Transport{
		Proxy:                 o.Proxy,
		DialContext:           dial,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   jobs * jobs,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: w.pace.Answer,
		ExpectContinueTimeout: time.Second,
	}
	if len(o.CAFiles) == 0 {
		return w, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	for _, file := range o.CAFiles {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read certificate authorities: %w", err)
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate authorities: %s has no certificate in PEM form", file)
		}
	}
	w.base.TLSClientConfig = &tls.Config{RootCAs: roots}
	return w, nil
}

func (w *wire) RoundTrip(in *http.Request) (*http.Response, error) {
	out := in
	if in.Body != nil {
		defer in.Body.Close()
	}
	if in.URL.Scheme != "https" && in.URL.Host != w.insecure && !isLoopback(in.URL.Host) {
		return nil, errPlain
	}
	// After a 401 go-containerregistry gets a new token and makes the same request
	// again, whose body has been read.
	if in.Body != nil && in.GetBody != nil {
		body, err := in.GetBody()
		if err != nil {
			return nil, err
		}
		out = in.Clone(in.Context())
		out.Body = body
	}
	resp, err := w.paced(out)
	if err != nil {
		return nil, err
	}
	if wait := retryAfter(resp, w.now()); wait > 0 && wait <= maxWait && !isOptional(in.Context()) {
		if err := w.sleep(in.Context(), wait); err != nil {
			resp.Body.Close()
			return nil, err
		}
	}
	return resp, nil
}

// retryAfter is how long the registry asks us to wait (RFC 9110, section 10.2.3).
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

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outages are the statuses that may be gone at the next attempt.
var outages = []int{http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
	http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, 499, 522}

// temporary says whether another attempt may succeed. An upload starts over: its
// session may be lost, and what arrived of it broken.
func temporary(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if answer := new(transport.Error); errors.As(err, &answer) {
		return slices.Contains(outages, answer.StatusCode) ||
			slices.ContainsFunc(answer.Errors, func(d transport.Diagnostic) bool {
				return d.Code == transport.BlobUploadInvalidErrorCode || d.Code == transport.BlobUploadUnknownErrorCode
			})
	}
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.EPIPE, syscall.ECONNRESET, net.ErrClosed} {
		if errors.Is(err, broken) {
			return true
		}
	}
	slow := net.Error(nil)
	return errors.As(err, &slow) && slow.Timeout()
}
