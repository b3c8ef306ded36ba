package distribution

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/thimble-build/thimble/build/internal/ociread"
)

// Answer is a response that was read completely.
type Answer struct {
	Status int
	Header http.Header
	URL    *url.URL
	Size   int64 // Content-Length; -1 if unknown
	Body   []byte
}

// Request is a request for [Client.Ask].
type Request struct {
	Method, URL string
	Header      map[string]string
	Body        []byte
	// Codes are the statuses that are no error.
	Codes []int
	// Sink receives the body instead of Answer.Body; it is reset before each attempt.
	Sink interface {
		io.Writer
		Reset()
	}
}

// interrupted is the error of a body that ended too early.
type interrupted struct{ error }

func (i interrupted) Unwrap() error { return i.error }

// Ask sends a request. The transport repeats it in an outage; Ask repeats it if the body is
// incomplete.
func (c *Client) Ask(ctx context.Context, q Request) (Answer, error) {
	backoff := c.Options.Backoff
	for {
		a, err := c.askOnce(ctx, q)
		broken := interrupted{}
		if isOptional(ctx) || !errors.As(err, &broken) || !temporary(err) || backoff.Steps <= 1 {
			return a, err
		}
		if err := Sleep(ctx, backoff.Step()); err != nil {
			return Answer{}, err
		}
	}
}

func (c *Client) askOnce(ctx context.Context, q Request) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, q.Method, q.URL, bytes.NewReader(q.Body))
	if err != nil {
		return Answer{}, err
	}
	for key, value := range q.Header {
		req.Header.Set(key, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, q.Codes...); err != nil {
		return Answer{}, err
	}
	a := Answer{Status: resp.StatusCode, Header: resp.Header, URL: resp.Request.URL, Size: resp.ContentLength}
	if q.Sink != nil {
		q.Sink.Reset()
		if _, err := io.Copy(q.Sink, resp.Body); err != nil {
			return Answer{}, interrupted{err}
		}
		return a, nil
	}
	if a.Body, err = io.ReadAll(io.LimitReader(resp.Body, ociread.MaxSize+1)); err != nil {
		return Answer{}, interrupted{err}
	}
	if len(a.Body) > ociread.MaxSize {
		return Answer{}, Problemf("the registry's answer is larger than %d MiB", ociread.MaxSize>>20)
	}
	return a, nil
}
