// Package fetch gets a URL that somebody else chose. It bounds the time and
// the size, and connects to public addresses only unless told otherwise. It
// uses no proxy, for a proxy would connect where the guard cannot see.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Errors that callers may test for.
var (
	ErrURL      = errors.New("not a URL that can be fetched")
	ErrRefused  = errors.New("address is not public")
	ErrTooLarge = errors.New("response is too large")
)

const maxRedirects = 5

// Options are what a Client is allowed to do.
type Options struct {
	Timeout      time.Duration // for everything, redirects and body included
	MaxBytes     int64         // of the decoded body
	AllowPrivate bool          // connect to loopback, private and link-local addresses too
}

// Result describes a response. Any status of the other side is a Result.
type Result struct {
	Status      int    `json:"status"`
	Proto       string `json:"proto"`
	ContentType string `json:"content_type,omitempty"`
	Bytes       int64  `json:"bytes"`
	SHA256      string `json:"sha256"`
	Redirects   int    `json:"redirects"`
}

// Client fetches. It is safe for concurrent use.
type Client struct {
	opts      Options
	transport *http.Transport
}

// New returns a Client; the caller closes it.
func New(opts Options) *Client {
	dialer := &net.Dialer{Timeout: opts.Timeout}
	if !opts.AllowPrivate {
		dialer.Control = refusePrivate
	}
	return &Client{
		opts: opts,
		transport: &http.Transport{
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    opts.Timeout,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConns:           16,
			IdleConnTimeout:        30 * time.Second,
		},
	}
}

// Close drops idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Get fetches rawURL and returns what came back. Errors are ErrURL,
// ErrRefused, ErrTooLarge, context.DeadlineExceeded, or those of net, crypto/tls
// and net/http; none of them holds the URL, which may hold secrets.
func (c *Client) Get(ctx context.Context, rawURL string) (_ Result, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return Result{}, fmt.Errorf("%w: it does not parse", ErrURL)
	}
	if err := check(u); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Result{}, fmt.Errorf("%w: no request can be made of it", ErrURL)
	}
	req.Header.Set("User-Agent", "sample-service")

	redirects := 0
	client := http.Client{
		Transport: c.transport,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if redirects = len(via); redirects > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			req.Header.Del("Referer") // it would hold the query
			return check(req.URL)
		},
	}
	res, err := client.Do(req)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return Result{}, fmt.Errorf("fetch: %w", err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()

	hash := sha256.New()
	n, err := io.Copy(hash, io.LimitReader(res.Body, c.opts.MaxBytes+1))
	if err != nil {
		return Result{}, fmt.Errorf("fetch: read body: %w", err)
	}
	if n > c.opts.MaxBytes {
		return Result{}, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, c.opts.MaxBytes)
	}
	return Result{
		Status:      res.StatusCode,
		Proto:       res.Proto,
		ContentType: res.Header.Get("Content-Type"),
		Bytes:       n,
		SHA256:      hex.EncodeToString(hash.Sum(nil)),
		Redirects:   redirects,
	}, nil
}

func check(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: its scheme is neither http nor https", ErrURL)
	case u.Hostname() == "":
		return fmt.Errorf("%w: it names no host", ErrURL)
	case u.User != nil:
		return fmt.Errorf("%w: it holds a user name", ErrURL)
	}
	return nil
}
