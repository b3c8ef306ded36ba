package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// ErrNoToken is the error of [TokenSource.Token] if no source has an identity token.
var ErrNoToken = errors.New("no identity token")

// TokenSource finds an OpenID Connect identity token. The sources are tried in the order of the
// fields, and the first available one is used; if it fails, Token fails.
type TokenSource struct {
	// Value is the token itself.
	Value string
	// File is a file that contains the token.
	File string
	// LookupEnv reads the environment, like os.LookupEnv; nil reads none. The variables are
	// GitHub Actions' ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN, which
	// come first, and SIGSTORE_ID_TOKEN, in which GitLab puts the token of its keyword
	// id_tokens.
	LookupEnv func(name string) (string, bool)
	// Audience is the requested audience of a token; "sigstore" if empty.
	Audience string
	// Interactive is used last, if there is a user to log in.
	Interactive *Interactive

	// Transport is for GitHub's request; nil is http.DefaultTransport.
	Transport http.RoundTripper
}

// Interactive is a login at an OpenID Connect provider.
type Interactive struct {
	Issuer, ClientID, ClientSecret string
	// Device prints a code to enter on another device, and waits; otherwise a browser is opened
	// on this machine.
	Device bool
	// Prompt shows the user the address and the code.
	Prompt func(message string)
	// RedirectURL is the browser flow's address on this machine; a free port if empty.
	RedirectURL string
}

// Token returns the token.
func (s TokenSource) Token(ctx context.Context) (string, error) {
	env := func(name string) string {
		if s.LookupEnv == nil {
			return ""
		}
		value, _ := s.LookupEnv(name)
		return value
	}
	switch {
	case s.Value != "":
		return s.Value, nil
	case s.File != "":
		b, err := os.ReadFile(s.File)
		if err != nil {
			return "", fmt.Errorf("read identity token %s: %w", s.File, pathCause(err))
		}
		token := strings.TrimSpace(string(b))
		if token == "" {
			return "", fmt.Errorf("read identity token %s: the file is empty", s.File)
		}
		return token, nil
	case env("ACTIONS_ID_TOKEN_REQUEST_URL") != "" && env("ACTIONS_ID_TOKEN_REQUEST_TOKEN") != "":
		return s.github(ctx, env("ACTIONS_ID_TOKEN_REQUEST_URL"), env("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
	case env("SIGSTORE_ID_TOKEN") != "":
		return env("SIGSTORE_ID_TOKEN"), nil
	case s.Interactive != nil:
		return s.Interactive.login(ctx)
	}
	return "", fmt.Errorf(
		"%w: give a token or its file; on GitHub Actions the job needs the permission id-token: write, on "+
			"GitLab an id_tokens entry SIGSTORE_ID_TOKEN", ErrNoToken)
}

// github requests a token from GitHub Actions. Errors contain neither the token of the request
// nor the answer.
func (s TokenSource) github(ctx context.Context, address, bearer string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("ask GitHub for an identity token: ACTIONS_ID_TOKEN_REQUEST_URL is not a URL")
	}
	q := u.Query()
	audience := s.Audience
	if audience == "" {
		audience = "sigstore"
	}
	q.Set("audience", audience)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", errors.New("ask GitHub for an identity token: ACTIONS_ID_TOKEN_REQUEST_URL is not a URL")
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	res, err := (&http.Client{Transport: s.Transport, Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		var urlErr *url.Error // its text contains the URL with its query
		if errors.As(err, &urlErr) {
			err = fmt.Errorf("%s: %w", u.Host, urlErr.Err)
		}
		return "", fmt.Errorf("ask GitHub for an identity token: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("ask GitHub for an identity token: %s", res.Status)
	}
	var answer struct{ Value string }
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer); err != nil ||
		answer.Value == "" {
		return "", errors.New("ask GitHub for an identity token: the answer contains no token")
	}
	return answer.Value, nil
}

func (i *Interactive) login(ctx context.Context) (string, error) {
	if i.Prompt == nil {
		return "", fmt.Errorf("log in at %s: there is no terminal to show the address on", i.Issuer)
	}
	err := Linked()
	if err == nil {
		var token string
		if token, err = sigstore.Login(ctx, *i); err == nil {
			return token, nil
		}
	}
	return "", fmt.Errorf("log in at %s: %w", i.Issuer, err)
}
