package distribution

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// tokens asks for a token for only this repository if a token service refuses one for several.
// The others are repositories from which blobs might be mounted.
type tokens struct {
	next http.RoundTripper
	// own is the prefix of the repository's scopes, such as "repository:acme/api:".
	own     string
	refused atomic.Bool // a token for several was refused
}

func (t *tokens) RoundTrip(in *http.Request) (*http.Response, error) {
	narrow := t.narrow(in)
	if narrow == nil {
		return t.next.RoundTrip(in)
	}
	if t.refused.Load() {
		return t.next.RoundTrip(narrow)
	}
	resp, err := t.next.RoundTrip(in)
	if err != nil || resp.StatusCode < 400 {
		return resp, err
	}
	status := resp.StatusCode
	resp.Body.Close()
	if resp, err = t.next.RoundTrip(narrow); err == nil && resp.StatusCode < 400 &&
		!slices.Contains(outages, status) {
		t.refused.Store(true)
	}
	return resp, err
}

// narrow returns a token request for only this repository; nil if the request already is such a
// request.
func (t *tokens) narrow(in *http.Request) *http.Request {
	if strings.HasPrefix(in.URL.Path, "/v2/") && in.URL.Query().Get("scope") == "" {
		return nil
	}
	out := in.Clone(in.Context())
	if in.Method == http.MethodGet {
		query := in.URL.Query()
		scopes := t.only(query["scope"])
		if scopes == "" {
			return nil
		}
		query["scope"] = []string{scopes}
		out.URL.RawQuery = query.Encode()
		return out
	}
	if in.Method != http.MethodPost || in.GetBody == nil ||
		in.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		return nil
	}
	body, err := in.GetBody()
	if err != nil {
		return nil
	}
	raw, err := io.ReadAll(body)
	body.Close()
	if err != nil {
		return nil
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil
	}
	scopes := t.only(strings.Fields(form.Get("scope")))
	if scopes == "" {
		return nil
	}
	form.Set("scope", scopes)
	raw = []byte(form.Encode())
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
	out.Body, _ = out.GetBody()
	out.ContentLength = int64(len(raw))
	return out
}

// only returns one scope with all permissions requested for the repository; "" if nothing else
// was requested.
func (t *tokens) only(scopes []string) string {
	var actions []string
	for _, s := range scopes {
		if what, ok := strings.CutPrefix(s, t.own); ok {
			for _, a := range strings.Split(what, ",") {
				if !slices.Contains(actions, a) {
					actions = append(actions, a)
				}
			}
		}
	}
	if len(actions) == 0 || len(scopes) == 1 {
		return ""
	}
	return t.own + strings.Join(actions, ",")
}
