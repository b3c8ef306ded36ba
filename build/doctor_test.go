package build_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/report"
)

// finding is the first of a check, and there has to be one.
func finding(t testing.TB, d *report.Diagnosis, check string) report.Finding {
	t.Helper()
	for _, f := range d.Findings {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("no finding about %s: %+v", check, d.Findings)
	return report.Finding{}
}

// says checks a finding.
func says(t testing.TB, f report.Finding, state report.State, words ...string) {
	t.Helper()
	if f.State != state {
		t.Errorf("%+v, want %s", f, state)
	}
	for _, w := range words {
		if !strings.Contains(f.Detail+"\n"+f.Fix, w) {
			t.Errorf("%+v has no %q", f, w)
		}
	}
}

// TestDoctorRegistry asks real registries, and registries that refuse.
func TestDoctorRegistry(t *testing.T) {
	testtool.OnRequest(t, "minutes, and real registries")
	repo, key := module(t, "hello"), newKey(t)
	diagnose := func(t *testing.T, host string, change ...func(*settings)) *report.Diagnosis {
		return must(build.Doctor(t.Context(), options(t, repo, append(change, to(host, key))...).Options))
	}
	for _, kind := range registries {
		t.Run(kind.name, func(t *testing.T) {
			host := kind.start(t)
			d := diagnose(t, host)
			says(t, finding(t, d, "registry"), report.OK, host+"/acme/hello: may push; indexes yes, referrers listed ")
			says(t, finding(t, d, "clock"), report.OK, "of "+host)
			says(t, finding(t, d, "signing"), report.OK, "opens")
			if d.Failed() != 0 {
				t.Errorf("%+v", d.Findings)
			}
		})
	}
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request) bool
		check  string
		state  report.State
		words  []string
	}{
		"nobody is logged in": {func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}, "registry", report.Problem, []string{"401 unauthorized", "docker login "}},
		"no right to push": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusForbidden)
			}
			return r.Method == http.MethodPost
		}, "registry", report.Problem, []string{"403 forbidden", "ask for the permission"}},
		"no indexes": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut {
				w.WriteHeader(http.StatusUnsupportedMediaType)
			}
			return r.Method == http.MethodPut
		}, "registry", report.Problem, []string{"indexes no", "choose a registry"}},
		"another time": {func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			if r.Method == http.MethodPost {
				w.Header().Set("Location", "/v2/x")
				w.WriteHeader(http.StatusAccepted)
			}
			return r.Method == http.MethodPost
		}, "clock", report.Problem, []string{"ahead of"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, host := registrytest.Before(t, registrytest.InProcess(t, true))
			p.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool { return test.answer(w, r) })
			f := finding(t, diagnose(t, host), test.check)
			says(t, f, test.state, test.words...)
			if f.Fix == "" {
				t.Errorf("%+v has no way out", f)
			}
		})
	}
}

// TestDoctorIdentity looks at tokens without asking for a certificate.
func TestDoctorIdentity(t *testing.T) {
	testtool.OnRequest(t, "minutes: each case asks the container engines that are there")
	repo := module(t, "hello")
	token := func(claims string) string {
		file := filepath.Join(t.TempDir(), "token")
		ok(t, os.WriteFile(file, []byte("e30."+base64.RawURLEncoding.EncodeToString([]byte(claims))+".e30"), 0o600))
		return file
	}
	later, earlier := time.Now().Add(time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
	for name, test := range map[string]struct {
		keyless build.Keyless
		state   report.State
		words   []string
	}{
		"a token":        {build.Keyless{TokenFile: token(fmt.Sprintf(`{"iss":"https://issuer.example.com","exp":%d}`, later))}, report.OK, []string{"of https://issuer.example.com"}},
		"an old token":   {build.Keyless{TokenFile: token(fmt.Sprintf(`{"iss":"https://issuer.example.com","exp":%d}`, earlier))}, report.Problem, []string{"expired at", "get a new one"}},
		"no token":       {build.Keyless{TokenFile: filepath.Join(t.TempDir(), "none")}, report.Problem, []string{"read identity token"}},
		"nobody":         {build.Keyless{}, report.Problem, []string{"no identity token"}},
		"no terminal":    {build.Keyless{Issuer: "https://issuer.example.com"}, report.Problem, []string{"no terminal to log in", "SIGSTORE_ID_TOKEN"}},
		"another issuer": {build.Keyless{Issuer: "https://b.example.com", TokenFile: token(`{"iss":"https://a.example.com"}`)}, report.Note, []string{"a.example.com", "b.example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, repo)
			test.keyless.Fulcio = "https://fulcio.example.com" // which nobody asks
			o.Config.Release.Keyless = &test.keyless
			d := must(build.Doctor(t.Context(), o.Options))
			says(t, finding(t, d, "signing"), test.state, test.words...)
			says(t, finding(t, d, "trust"), report.Problem, "with a trusted root")
		})
	}
	o := options(t, repo)
	o.Config.Release.Keyless = &build.Keyless{Issuer: "https://issuer.example.com"}
	o.Login = func(string) { t.Error("somebody is asked to log in") }
	says(t, finding(t, must(build.Doctor(t.Context(), o.Options)), "signing"), report.Note, "asks you to log in at https://issuer.example.com")
}
