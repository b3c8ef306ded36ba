package distribution

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/thimble-build/thimble/build/internal/ociread"
)

// wire is the layer between go-containerregistry's login and retries and the network. It allows
// plain HTTP only to permitted hosts, sends the complete body with each repeated request, waits
// as long as a busy registry asks, and counts bytes.
type wire struct {
	base     *http.Transport
	insecure string // the host other than localhost that may use plain HTTP
	// local says that localhost may use plain HTTP. It is false for the registry of a stranger,
	// which could redirect requests to any server of this machine.
	local    bool
	progress func(int64)
	pace     Pace
	now      func() time.Time
	sleep    func(context.Context, time.Duration) error
}

// maxWait is the longest wait that a registry can ask for.
const maxWait = 2 * time.Minute

func newWire(registry name.Registry, o Options) (*wire, error) {
	w := &wire{progress: o.Progress, pace: o.Pace.orUsual(), now: o.Now, sleep: Sleep, local: o.Insecure ||
		isLoopback(registry.RegistryStr())}
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
		MaxIdleConnsPerHost:   Jobs * Jobs,
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
	if in.URL.Scheme != "https" && in.URL.Host != w.insecure && !(w.local && isLoopback(in.URL.Host)) {
		return nil, errPlain
	}
	// After a 401 go-containerregistry gets a new token and sends the same request again, whose
	// body has already been read.
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

// paced sends a request that ends when the registry is too slow.
func (w *wire) paced(in *http.Request) (*http.Response, error) {
	ctx, end := context.WithCancelCause(in.Context())
	out := in.WithContext(ctx)
	if in.Body != nil && in.Body != http.NoBody {
		s := &sent{ReadCloser: in.Body, meter: newMeter(w.pace, end), last: -1}
		if in.Method == http.MethodPatch {
			s.report = w.progress
		}
		out.Body = s
	}
	if in.Method == http.MethodGet || in.Method == http.MethodHead {
		timer := time.AfterFunc(w.pace.Idle, func() { end(w.pace.idle()) })
		defer timer.Stop()
	}
	resp, err := w.base.RoundTrip(out)
	if err != nil {
		if in.Context().Err() == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		end(nil)
		return nil, err
	}
	body := &received{ReadCloser: resp.Body, ctx: ctx, meter: newMeter(w.pace, end), left: -1}
	if !unbounded(in) {
		body.left = ociread.MaxSize + 1
	}
	resp.Body = body
	return resp, nil
}

// unbounded reports whether an answer may have any size. This is so for a blob, also after a
// redirect. All other answers are documents.
func unbounded(req *http.Request) bool {
	for req.Response != nil && req.Response.Request != nil {
		req = req.Response.Request
	}
	return req.Method == http.MethodGet && strings.HasPrefix(req.URL.Path, "/v2/") &&
		strings.Contains(req.URL.Path, "/blobs/")
}
