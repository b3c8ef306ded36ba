package signing

import (
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// What one verification expects does not change the session, which others use.
func TestExpectedLeavesTheSession(t *testing.T) {
	s, err := session.Open(t.Context(), session.Settings{
		Config: plan.Config{Release: plan.ReleaseConfig{TrustKeys: []string{"ours.pub"}, TrustedRoot: "ours.json"}},
		Cache:  t.TempDir(), Env: []string{"A=1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Expected(s, Expectation{Keys: []string{"theirs.pub"}, TrustedRoot: "theirs.json"}); err == nil {
		t.Error("a missing key is read")
	}
	if r := s.Config.Release; !slices.Equal(r.TrustKeys, []string{"ours.pub"}) || r.TrustedRoot != "ours.json" {
		t.Errorf("the session trusts %q and %q", r.TrustKeys, r.TrustedRoot)
	}
}
