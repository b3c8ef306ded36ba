package build_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// An image that stands on Debian's packages, or on another image, comes out again: from
// its commit, and from nothing but its provenance. What pins the base is in both.
func TestRebuildOnBases(t *testing.T) {
	testtool.OnRequest(t, "minutes: it builds again in clean rooms")
	bases, requests, _, _ := baseRegistry(t)
	for _, test := range []struct{ name, base, mirror string }{
		{"another image", bases + "/acme/base:1", ""},
		{"Debian's packages", plan.BaseStatic, debiantest.Mirror(t)},
	} {
		t.Run(test.name, func(t *testing.T) {
			host, key := registrytest.InProcess(t, true), newKey(t)
			onMirror := func(o *settings) { o.Env = append(o.Env, "THIMBLE_DEBIAN_MIRROR="+test.mirror) }
			o := options(t, module(t, "hello"), to(host, key), onMirror, warm(t), func(o *settings) { o.Config.Defaults.Base = test.base })
			must(build.Lock(t.Context(), o.Options))
			git(t, o.Workdir, "add", "-A")
			git(t, o.Workdir, "commit", "-q", "-m", "locked")
			git(t, o.Workdir, "tag", "-f", "v1.2.3")
			must(build.Release(t.Context(), o.release()))

			asked := requests.Load()
			r, err := build.Reproduce(t.Context(), o.Options, self(t))
			if err != nil || !r.Same || len(r.Compared) != 2 {
				t.Errorf("from the commit: %v: %+v", err, r)
			}
			want := build.RebuildOptions{VerifyOptions: build.VerifyOptions{Keys: []string{publicOf(key)}}, Mirror: o.Workdir}
			r, err = build.Rebuild(t.Context(), rebuilding(stranger(t, onMirror).Options, want), host+"/acme/hello:v1.2.3", self(t))
			if err != nil || !r.Same || len(r.Compared) != 2 || len(r.Notes) > 0 {
				t.Errorf("from the image: %v: %+v", err, r)
			}
			if test.mirror == "" && requests.Load() == asked {
				t.Error("the clean rooms have the base from a cache")
			}
			// Nothing of a base is here before it was fetched.
			if _, err := build.Rebuild(t.Context(), rebuilding(stranger(t, onMirror, func(o *settings) { o.Offline = true }).Options, want), host+"/acme/hello:v1.2.3", self(t)); test.mirror != "" &&
				(err == nil || !strings.Contains(err.Error(), "-offline does not allow it")) {
				t.Errorf("without a network: %v", err)
			}
		})
	}
}

// Causes that are in the base: another one, and the same by name with other content.
func TestCauseBase(t *testing.T) {
	testtool.OnRequest(t, "minutes: it builds again in clean rooms")
	host, _, _, _ := baseRegistry(t)
	o := options(t, module(t, "hello"), func(o *settings) { o.Config.Defaults.Base = host + "/acme/base:1" })
	locked := func() {
		must(build.Lock(t.Context(), o.Options))
		git(t, o.Workdir, "add", "-A")
		git(t, o.Workdir, "commit", "-q", "-m", "locked")
	}
	built := func(dist, base string) {
		o.Config.Dist, o.Config.Defaults.Base = dist, base
		must(build.Image(t.Context(), o.image()))
	}
	differ := func(a, b, words, layer string) {
		t.Helper()
		c, err := build.Between(t.Context(), o.Options, a, b)
		ok(t, err)
		if !slices.ContainsFunc(c.Causes, func(cause compare.Cause) bool { return cause.Kind == "base" && strings.Contains(cause.Detail, words) }) {
			t.Errorf("the causes are %+v, want %q", c.Causes, words)
		}
		if got := at(c, "layer"); !strings.HasPrefix(got, layer) {
			t.Errorf("the first layer that differs is %q: %+v", got, c.Differences)
		}
	}
	locked()
	built("on-scratch", plan.BaseScratch)
	built("on-base", host+"/acme/base:1")
	differ("on-scratch", "on-base", "the base is scratch / "+host+"/acme/base:1", "COPY||-|sha256:")

	ok(t, remote.Write(must(name.ParseReference(host+"/acme/base:1")), must(mutate.AppendLayers(baseImage(t, "amd64"), baseFiles(t, "newer")))))
	locked()
	git(t, o.Workdir, "tag", "-f", "v1.2.3")
	built("on-newer", host+"/acme/base:1")
	differ("on-base", "on-newer", "the base "+host+"/acme/base:1 is pinned as sha256:", "binary|digest|") // the commit that pins it is in the binary
}
