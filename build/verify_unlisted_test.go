package build_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
)

// A registry with an outage of its list of referrers is not said to have no signature.
func TestVerifyWithoutAListOfReferrers(t *testing.T) {
	t.Parallel()
	host := registrytest.InProcess(t, true)
	o, p := killable(t, host)
	through := o.Config.Repository
	o.Config.Release.Forms = []string{"bundle"}
	_, err := build.Release(t.Context(), o.release())
	ok(t, err)
	p.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	_, err = build.Verify(t.Context(), verifying(build.Options{Workdir: t.TempDir(), Env: environment()},
		build.VerifyOptions{Keys: []string{publicOf(o.Config.Release.Key)}}), through+"/hello:v1.2.3")

	refused(t, err, "the missing documents may exist: list the referrers in "+through+"/hello: 403 forbidden")
}
