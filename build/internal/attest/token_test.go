package attest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
)

// The first source that is there gives the token: the value, its file, GitHub Actions,
// GitLab.
func TestTokenSource(t *testing.T) {
	var asked []string
	github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery+" "+r.Header.Get("Authorization"))
		fmt.Fprint(w, `{"value":"from-github"}`)
	}))
	defer github.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL": github.URL + "?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-secret",
		"SIGSTORE_ID_TOKEN": "from-gitlab",
	}
	source := attest.TokenSource{
		Value: "given", File: file, Audience: "private",
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
	want := func(token string) {
		t.Helper()
		if got, err := source.Token(t.Context()); err != nil || got != token {
			t.Errorf("%q, %v, want %q", got, err, token)
		}
	}
	want("given")
	source.Value = ""
	want("from-file")
	source.File = ""
	want("from-github")
	if len(asked) != 1 || asked[0] != "api-version=2&audience=private Bearer bearer-secret" {
		t.Errorf("GitHub was asked %q", asked)
	}
	delete(env, "ACTIONS_ID_TOKEN_REQUEST_URL")
	want("from-gitlab")
	delete(env, "SIGSTORE_ID_TOKEN")
	if _, err := source.Token(t.Context()); !errors.Is(err, attest.ErrNoToken) || !strings.Contains(err.Error(), "id-token: write") {
		t.Error(err)
	}
}

// Nobody logs in, and the run is stopped: it does not wait until the code expires.
func TestLoginStops(t *testing.T) {
	issuer := sigstoretest.NewIssuer(t)
	pages := issuer.Config.Handler
	issuer.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			fmt.Fprint(w, `{"error":"authorization_pending"}`)
			return
		}
		pages.ServeHTTP(w, r)
	})
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	source := attest.TokenSource{Interactive: &attest.Interactive{
		Issuer: issuer.URL, ClientID: "sigstore", Device: true, Prompt: func(string) { stop(stopped) },
	}}
	if _, err := source.Token(ctx); !errors.Is(err, stopped) || !strings.Contains(err.Error(), "log in at "+issuer.URL) {
		t.Error(err)
	}
}

// A source that is there and fails is an error, not a reason to try the next one, and
// no error tells a secret.
func TestTokenSourceErrors(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "secret in the body", http.StatusForbidden)
	}))
	defer refusing.Close()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	github := func(name string) (string, bool) {
		return map[string]string{
			"ACTIONS_ID_TOKEN_REQUEST_URL": refusing.URL + "?sig=secret", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret", "SIGSTORE_ID_TOKEN": "gitlab",
		}[name], true
	}
	for want, source := range map[string]attest.TokenSource{
		"the file is empty": {File: empty, LookupEnv: github},
		"no such file":      {File: empty + "-not", LookupEnv: github},
		"403 Forbidden":     {LookupEnv: github},
	} {
		_, err := source.Token(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	refusing.Close()
	_, err := attest.TokenSource{LookupEnv: github}.Token(t.Context())
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// Whatever would make a keyless signature worthless is refused before it is made.
func TestNewSignerErrors(t *testing.T) {
	token := attest.TokenSource{Value: "x"}.Token
	for want, make := range map[string]func() error{
		"URL of Fulcio": func() error {
			_, err := attest.NewKeylessSigner(attest.Keyless{Token: token}, attest.Services{})
			return err
		},
		"timestamp authority": func() error {
			_, err := attest.NewKeylessSigner(attest.Keyless{Fulcio: "https://f.example", Token: token}, attest.Services{Logs: []attest.Log{{URL: "https://r.example", Version: 2}}})
			return err
		},
		"supported are 1 and 2": func() error {
			_, err := attest.NewSigner(&attest.Key{}, attest.Services{Logs: []attest.Log{{URL: "https://r.example", Version: 3}}})
			return err
		},
	} {
		if err := make(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
