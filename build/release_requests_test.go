package build_test

import (
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
)

// A release reads back all that it has made, and asks for nothing twice without need: these
// are bounds for one image with two platforms, 5 % above what was measured: 466 requests with
// referrers and 484 without, and 106 and 109 when nothing is left to do.
func TestReleaseRequests(t *testing.T) {
	t.Parallel()
	for name, referrers := range map[string]bool{"with referrers": true, "without referrers": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, host := registrytest.Before(t, registrytest.InProcess(t, referrers))
			o := options(t, module(t, "hello"), to(host, newServedKey(t)))
			o.Platforms = nil
			for _, run := range []struct {
				name string
				most int
			}{{"first", 510}, {"repeated", 115}} {
				p.Forget()
				_, err := build.Release(t.Context(), o.release())
				ok(t, err)
				all := p.Requests()
				by := map[string]int{}
				for _, r := range all {
					method, path, _ := strings.Cut(r, " ")
					kind := "other"
					for _, k := range []string{"manifests", "blobs/uploads", "blobs", "referrers"} {
						if strings.Contains(path, "/"+k+"/") {
							kind = k
							break
						}
					}
					by[method+" "+kind]++
				}
				t.Logf("the %s run makes %d requests: %v", run.name, len(all), by)
				if len(all) > run.most {
					t.Errorf("the %s run makes %d requests, at most %d are wanted: %v", run.name, len(all), run.most, by)
				}
			}
		})
	}
}
