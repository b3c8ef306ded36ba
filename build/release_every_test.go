package build_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// Every request of a whole release fails in turn, in every way (registrytest.Sample).
// Whatever comes of it: no tag points to what is not complete, the error says which tags
// have moved, and the next run completes the release.
func TestEveryRequestOfAReleaseFails(t *testing.T) {
	testtool.OnRequest(t, "it releases many times")
	for i, referrers := range []bool{false, true} {
		store := registrytest.Handler(referrers)
		host := registrytest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { store.ServeHTTP(w, r) }))
		f, p := faultedRelease(t, host)
		requests := len(p.Requests())
		if requests < 60 {
			t.Fatalf("a release has %d requests", requests)
		}
		build.ReachRegistry(&f.options.Options, func(o *distribution.Options) {
			o.Backoff.Duration, o.Backoff.Factor, o.Backoff.Steps = 10*time.Millisecond, 1, 5
			o.Pace = distribution.Pace{Idle: 2 * time.Second, Answer: 2 * time.Second}
			o.Optional = 2 * time.Second
		})
		for j, fault := range registrytest.Faults {
			for _, k := range registrytest.Sample(requests, 1, uint64(i*len(registrytest.Faults)+j)) {
				store = registrytest.Handler(referrers)
				ok(t, os.RemoveAll(filepath.Join(f.options.Workdir, "dist")))
				p.Rest()
				happened := p.FailAt(k, fault)
				_, said := build.Release(t.Context(), f.options.release())
				p.Rest()
				if err := f.look(t, said); err != nil {
					t.Errorf("referrers %t, %s at request %d, and the release said %v: %v", referrers, fault.Name, k, said, err)
				}
				if _, err := build.Release(t.Context(), f.options.release()); err != nil {
					t.Errorf("referrers %t, %s at request %d: the next run: %v", referrers, fault.Name, k, err)
				} else if err := f.look(t, nil); err != nil {
					t.Errorf("referrers %t, %s at request %d, after the next run: %v", referrers, fault.Name, k, err)
				}
				if !happened() {
					t.Logf("%s: there was no request %d", fault.Name, k)
				}
			}
		}
	}
}
