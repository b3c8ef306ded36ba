package doctor

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// The environment of the release job is asked for, where the CI system's identity signs.
func TestProtection(t *testing.T) {
	examine := func(t *testing.T, env ...string) []Finding {
		t.Helper()
		s, err := session.Open(t.Context(), session.Settings{
			Cache: t.TempDir(), Env: env,
			Config: plan.Config{Release: plan.ReleaseConfig{Keyless: &plan.Keyless{Fulcio: "https://fulcio.example.com"}}}, // which nobody asks
		})
		if err != nil {
			t.Fatal(err)
		}
		return (&examination{Session: s}).protection(t.Context())
	}
	says := func(t *testing.T, found []Finding, state report.State, words ...string) {
		t.Helper()
		if len(found) != 1 || found[0].Check != "protection" || found[0].State != state {
			t.Fatalf("%+v, want %s", found, state)
		}
		for _, w := range words {
			if !strings.Contains(found[0].Detail+"\n"+found[0].Fix, w) {
				t.Errorf("%+v has no %q", found[0], w)
			}
		}
	}
	for name, test := range map[string]struct {
		status int
		answer string
		state  report.State
		words  []string
	}{
		"reviewers":  {200, `{"protection_rules":[{"type":"wait_timer"},{"type":"required_reviewers"}],"deployment_branch_policy":null}`, report.OK, []string{"release of acme/hello is protected: somebody approves each job"}},
		"tags":       {200, `{"protection_rules":[{"type":"branch_policy"}],"deployment_branch_policy":{"custom_branch_policies":true}}`, report.OK, []string{"only some branches and tags"}},
		"nothing":    {200, `{"protection_rules":[],"deployment_branch_policy":null}`, report.Note, []string{"is not protected", "gh api -X PUT repos/acme/hello/environments/release"}},
		"a timer":    {200, `{"protection_rules":[{"type":"wait_timer"}]}`, report.Note, []string{"is not protected"}},
		"none":       {404, `{"message":"Not Found"}`, report.Note, []string{"unknown", "GITHUB_TOKEN", "gh api"}},
		"no right":   {403, `{}`, report.Note, []string{"unknown", "403 Forbidden"}},
		"not GitHub": {200, `<html>`, report.Note, []string{"unknown", "not JSON"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/repos/acme/hello/environments/release" || r.Header.Get("Authorization") != "Bearer t" {
					t.Errorf("GitHub is asked for %s with %q", r.URL, r.Header.Get("Authorization"))
				}
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.answer))
			}))
			t.Cleanup(s.Close)
			says(t, examine(t, "GITHUB_API_URL="+s.URL, "GITHUB_REPOSITORY=acme/hello", "GITHUB_TOKEN=t"), test.state, test.words...)
		})
	}
	says(t, examine(t, "CI_COMMIT_REF_PROTECTED=true"), report.OK, "is protected")
	says(t, examine(t, "CI_COMMIT_REF_PROTECTED=false"), report.Note, "is not protected")
	if found := examine(t, "GITHUB_REPOSITORY="); found != nil {
		t.Errorf("a repository of neither has %+v", found)
	}
}
