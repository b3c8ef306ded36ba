package build_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// The summary can tell what a release changes: its images are held against those under
// the tag of the release before.
func TestPrevious(t *testing.T) {
	testtool.OnRequest(t, "it releases several times")
	repo, key, host := module(t, "hello"), newKey(t), registrytest.InProcess(t, true)
	said := &notices{}
	o := options(t, repo, to(host, key), func(o *settings) {
		o.Progress, o.Platforms = said, []string{"linux/amd64", "linux/arm/v7"}
		o.Summary = func(r *build.Result) ([]byte, error) { return []byte(r.Images[0].Reference + "\n"), nil }
	})
	first, err := build.Release(t.Context(), o.release())
	ok(t, err)
	if first.Previous != nil {
		t.Errorf("before the first release there was %v", first.Previous)
	}
	text, err := os.ReadFile(filepath.Join(repo, "dist", "summary.md"))
	if err != nil || string(text) != host+"/acme/hello:v1.2.3\n" {
		t.Errorf("the summary is %q, %v", text, err)
	}

	ok(t, os.WriteFile(filepath.Join(repo, "more.go"), []byte("package main\n\nimport \"net/http\"\n\nvar _ = http.Get\n"), 0o644))
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "more")
	second, err := build.Image(t.Context(), o.image())
	ok(t, err)
	was, is := second.Previous["hello"], first.Images[0]
	if was.Tag != "v1.2.3" || was.Digest != is.Digest || len(was.Platforms) != 2 {
		t.Fatalf("the release before is %+v", was)
	}
	for i, p := range was.Platforms {
		if p.Platform != is.Platforms[i].Platform || p.Digest != is.Platforms[i].Digest || p.Size != is.Platforms[i].Size {
			t.Errorf("%s: %s, %d bytes; want %s, %d", p.Platform, p.Digest, p.Size, is.Platforms[i].Digest, is.Platforms[i].Size)
		}
	}

	// What cannot be found out stops nothing.
	forbidden := registrytest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	for name, test := range map[string]struct {
		change  func(*settings)
		noticed int
	}{
		"no repository":                {func(o *settings) { o.Config.Repository = "" }, 0},
		"another repository":           {func(o *settings) { o.Config.Repository = host + "/other" }, 0},
		"a registry that refuses":      {func(o *settings) { o.Config.Repository = forbidden + "/acme" }, 1},
		"a registry that is not asked": {func(o *settings) { o.Config.Repository, o.Offline = "registry.example.com/acme", true }, 0},
		"no summary":                   {func(o *settings) { o.Summary = nil }, 0},
	} {
		said := &notices{}
		o := o
		o.Progress, o.Platforms = said, []string{"linux/amd64"}
		test.change(&o)
		r, err := build.Image(t.Context(), o.image())
		ok(t, err)
		if found := said.with("does not say how sizes changed since v1.2.3"); r.Previous != nil || len(found) != test.noticed {
			t.Errorf("%s: %+v, %q", name, r.Previous, found)
		}
		_, err = os.Stat(filepath.Join(repo, "dist", "summary.md"))
		if (err == nil) != (o.Summary != nil) {
			t.Errorf("%s: the summary: %v", name, err)
		}
	}
	ok(t, build.Clean(t.Context(), o.Options))
	if left, _ := filepath.Glob(filepath.Join(repo, "dist", "*")); slices.Contains(left, filepath.Join(repo, "dist", "summary.md")) {
		t.Errorf("clean leaves %q", left)
	}
}
