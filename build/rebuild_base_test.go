package build_test

import (
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/plan"
)

// An image that stands on Debian's packages, or on another image, comes out again: from
// its commit, and from nothing but its provenance. What pins the base is in both.
func TestRebuildOnBases(t *testing.T) {
	warm(t)
	bases, requests, _, _ := baseRegistry(t)
	for _, test := range []struct{ name, base, mirror string }{
		{"another image", bases + "/acme/base:1", ""},
		{"Debian's packages", plan.BaseStatic, debiantest.Mirror(t)},
	} {
		t.Run(test.name, func(t *testing.T) {
			host, key := inProcess(t, true), newKey(t)
			onMirror := func(o *build.Options) { o.Env = append(o.Env, "THIMBLE_DEBIAN_MIRROR="+test.mirror) }
			o := options(t, module(t, "hello"), to(host, key), onMirror, func(o *build.Options) { o.Config.Defaults.Base = test.base })
			must(build.Lock(t.Context(), o))
			git(t, o.Workdir, "add", "-A")
			git(t, o.Workdir, "commit", "-q", "-m", "locked")
			git(t, o.Workdir, "tag", "-f", "v1.2.3")
			must(build.Release(t.Context(), o))

			asked := requests.Load()
			r, err := build.Reproduce(t.Context(), o, again(t))
			if err != nil || !r.Same || len(r.Compared) != 2 {
				t.Errorf("from the commit: %v: %+v", err, r)
			}
			want := build.RebuildOptions{Expected: build.Expected{Keys: []string{publicOf(key)}}, Mirror: o.Workdir}
			r, err = build.Rebuild(t.Context(), stranger(t, onMirror), host+"/acme/hello:v1.2.3", want, again(t))
			if err != nil || !r.Same || len(r.Compared) != 2 || len(r.Notes) > 0 {
				t.Errorf("from the image: %v: %+v", err, r)
			}
			if test.mirror == "" && requests.Load() == asked {
				t.Error("the clean rooms have the base from a cache")
			}
			// Nothing of a base is here before it was fetched.
			if _, err := build.Rebuild(t.Context(), stranger(t, onMirror, func(o *build.Options) { o.Offline = true }), host+"/acme/hello:v1.2.3", want, again(t)); test.mirror != "" &&
				(err == nil || !strings.Contains(err.Error(), "-offline allows no other")) {
				t.Errorf("without a network: %v", err)
			}
		})
	}
}
