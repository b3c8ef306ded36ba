package build_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/rogpeppe/go-internal/goproxytest"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/report"
)

// monorepo is a repository with two services, api and job, that share a package; api
// uses a module besides.
type monorepo struct {
	testing.TB
	dir string
	env []string
	day int // of the last commit
}

func newMonorepo(t testing.TB) *monorepo {
	t.Helper()
	m := &monorepo{TB: t, dir: filepath.Join(t.TempDir(), "mono"), env: environment("COSIGN_PASSWORD=" + password)}
	proxy := t.TempDir()
	for _, version := range []string{"v1.0.0", "v1.1.0"} {
		ok(t, os.WriteFile(filepath.Join(proxy, "example.com_words_"+version+".txtar"), fmt.Appendf(nil, `-- .mod --
module example.com/words
-- .info --
{"Version": %q}
-- go.mod --
module example.com/words
-- words.go --
package words

const Hello = "hello in %s"
`, version, version), 0o644))
	}
	m.env = append(m.env, "GOPROXY="+goproxytest.NewTestServer(t, proxy, "").URL, "GOSUMDB=off", "GOMODCACHE="+t.TempDir(), "GOFLAGS=-modcacherw")
	for name, content := range map[string]string{
		"go.mod":                  "module example.com/mono\n\ngo 1.26\n",
		".gitignore":              "/dist/\nsecret.txt\n",
		"README.md":               "Two services.\n",
		"LICENSE":                 "All rights reserved.\n",
		"cmd/api/main.go":         "package main\n\nimport (\n\t_ \"embed\"\n\n\t\"example.com/mono/internal/shared\"\n\t\"example.com/words\"\n)\n\n//go:embed web/*.html\nvar page string\n\nfunc main() { println(words.Hello, shared.Name, page) }\n",
		"cmd/api/web/index.html":  "<p>\n",
		"cmd/job/main.go":         "package main\n\nimport \"example.com/mono/internal/shared\"\n\nfunc main() { println(shared.Name) }\n",
		"cmd/job/more.go":         "package main\n\nfunc init() { println(\"more\") }\n",
		"cmd/job/job_test.go":     "package main\n",
		"internal/shared/name.go": "package shared\n\nconst Name = \"shared\"\n",
		"conf/job.conf":           "a = 1\n",
	} {
		m.write(name, content)
	}
	m.run("go", "get", "example.com/words@v1.0.0")
	m.run("git", "init", "-q", "-b", "main")
	m.run("git", "remote", "add", "origin", "https://git.example.com/acme/mono.git")
	m.commit("the first")
	return m
}

func (m *monorepo) write(name, content string) {
	m.Helper()
	file := filepath.Join(m.dir, filepath.FromSlash(name))
	ok(m, os.MkdirAll(filepath.Dir(file), 0o755))
	ok(m, os.WriteFile(file, []byte(content), 0o644))
}

func (m *monorepo) run(args ...string) string {
	m.Helper()
	cmd := testtool.Command(m, args[0], args[1:]...)
	date := fmt.Sprintf("2026-02-%02dT12:00:00Z", m.day)
	cmd.Dir, cmd.Env = m.dir, append(slices.Clip(m.env), "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits everything, a day after the last commit.
func (m *monorepo) commit(subject string) string {
	m.Helper()
	m.day++
	m.run("git", "add", "-A")
	m.run("git", "commit", "-q", "-m", subject)
	return m.run("git", "rev-parse", "HEAD")
}

func (m *monorepo) options(change ...func(*settings)) settings {
	o := options(m, m.dir, func(o *settings) {
		o.Env = m.env
		o.Config.StableDigests = true
		o.Config.Images = []build.ImageConfig{
			{Package: "./cmd/api"},
			{Package: "./cmd/job", Assets: []build.Asset{{Source: "conf", Target: "/etc/job"}}},
		}
	})
	for _, c := range change {
		c(&o)
	}
	return o
}

// images are the images by name, of the tree as it is.
func (m *monorepo) images(change ...func(*settings)) (map[string]report.ImageResult, *build.Result) {
	m.Helper()
	r, err := build.Image(m.Context(), m.options(change...).image())
	ok(m, err)
	all := map[string]report.ImageResult{}
	for _, img := range r.Images {
		all[img.Name] = img
	}
	return all, r
}

// annotationsOf are those of an image's index.
func annotationsOf(t testing.TB, r *build.Result, img report.ImageResult) map[string]string {
	t.Helper()
	top := must(must(layout.ImageIndexFromPath(filepath.Join(r.Dist, img.Layout))).IndexManifest())
	index := must(must(layout.ImageIndexFromPath(filepath.Join(r.Dist, img.Layout))).ImageIndex(top.Manifests[0].Digest))
	return must(index.IndexManifest()).Annotations
}

// manifestIn is a copy of a manifest.json with nothing beside it.
func manifestIn(t testing.TB, r *build.Result) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "manifest.json")
	ok(t, os.WriteFile(file, must(r.Manifest.JSON()), 0o644))
	return file
}

// From commit to commit, an image's digest changes when one of its inputs does, and its
// revision, its date and its version are those of that commit.
func TestStableDigests(t *testing.T) {
	testtool.OnRequest(t, "minutes: it builds many commits")
	m := newMonorepo(t)
	first := m.run("git", "rev-parse", "HEAD")
	before, r := m.images()
	at := map[string]string{"api": first, "job": first} // the commits that count
	dated := map[string]int{"api": 1, "job": 1}
	if r.Plan.Revision != first {
		t.Errorf("the plan is of %s", r.Plan.Revision)
	}
	was := ""
	for _, change := range []struct {
		name string
		make func()
		// touched are the images whose inputs the commit touches; same those of them whose
		// binary is the same nevertheless.
		touched, same []string
	}{
		{name: "a README", make: func() { m.write("README.md", "Two small services.\n") }},
		{"one service", func() { m.write("cmd/api/extra.go", "package main\n\nfunc init() { println(1) }\n") }, []string{"api"}, nil},
		{"the other", func() { m.write("cmd/job/more.go", "package main\n\nfunc init() { println(\"much more\") }\n") }, []string{"job"}, nil},
		{"the shared package", func() { m.write("internal/shared/name.go", "package shared\n\nconst Name = \"common\"\n") }, []string{"api", "job"}, nil},
		{name: "a test", make: func() { m.write("cmd/job/job_test.go", "package main\n\nvar x int\n") }},
		{name: "a file beside the sources", make: func() { m.write("cmd/job/README.md", "A job.\n") }},
		{"an embedded file", func() { m.write("cmd/api/web/index.html", "<h1>\n") }, []string{"api"}, nil},
		{"a copied file", func() { m.write("conf/new.conf", "b = 2\n") }, []string{"job"}, []string{"job"}},
		{"a source that is gone", func() { ok(t, os.Remove(filepath.Join(m.dir, "cmd/job/more.go"))) }, []string{"job"}, nil},
		{"a module of one of them", func() { m.run("go", "get", "example.com/words@v1.1.0") }, []string{"api", "job"}, []string{"job"}},
		{"the licence", func() { m.write("LICENSE", "Rights reserved.\n") }, []string{"api", "job"}, []string{"api", "job"}},
		{name: "nothing but the commit", make: func() { m.write("docs/x.md", "x\n") }},
	} {
		change.make()
		revision := m.commit(change.name)
		after, r := m.images()
		if r.Plan.Revision != revision || r.Plan.Dirty {
			t.Errorf("%s: the plan is of %s, %q", change.name, r.Plan.Revision, r.Plan.DirtyFile)
		}
		for name, img := range after {
			if slices.Contains(change.touched, name) {
				at[name], dated[name] = revision, m.day
			}
			if got, want := img.Digest != before[name].Digest, slices.Contains(change.touched, name); got != want {
				t.Errorf("%s: whether the digest of %s changes is %t, want %t", change.name, name, got, want)
			}
			if got, want := img.Platforms[0].Binary.SHA256 == before[name].Platforms[0].Binary.SHA256, !slices.Contains(change.touched, name) || slices.Contains(change.same, name); got != want {
				t.Errorf("%s: whether the binary of %s is the same is %t, want %t", change.name, name, got, want)
			}
			about := annotationsOf(t, r, img)
			created := fmt.Sprintf("2026-02-%02dT12:00:00Z", dated[name])
			version := fmt.Sprintf("v0.0.0-202602%02d120000-%s", dated[name], at[name][:12])
			if about["org.opencontainers.image.revision"] != at[name] || about["org.opencontainers.image.created"] != created || about["org.opencontainers.image.version"] != version {
				t.Errorf("%s: %s says %v; want %s, %s", change.name, name, about, at[name], version)
			}
		}
		if change.name == "one service" { // why did a digest change? one cause, and not the commit
			c, err := build.Between(t.Context(), m.options().Options, was, manifestIn(t, r))
			ok(t, err)
			if c.Same || len(c.Causes) != 1 || c.Causes[0].Kind != "VCS state" || !strings.HasPrefix(c.Causes[0].Detail, "the last commit that touched its inputs is "+first) {
				t.Errorf("%s: the causes are %q", change.name, c.Causes)
			}
		}
		before, was = after, manifestIn(t, r)
	}

	// Elsewhere, with other platforms beside, with a tag: the same.
	m.run("git", "tag", "v1.0.0")
	clone := *m
	clone.dir = filepath.Join(t.TempDir(), "elsewhere")
	m.run("git", "clone", "-q", "file://"+m.dir, clone.dir)
	clone.run("git", "remote", "set-url", "origin", "https://git.example.com/acme/mono.git")
	elsewhere, _ := clone.images()
	both, _ := clone.images(func(o *settings) { o.Platforms = []string{"linux/arm64", "linux/amd64"} })
	for name, img := range before {
		if elsewhere[name].Digest != img.Digest || both[name].Platforms[1].Digest != img.Platforms[0].Digest {
			t.Errorf("a fresh clone gives another %s: %s, %+v", name, elsewhere[name].Digest, both[name].Platforms)
		}
	}

	// What differs from the commit counts where it is an input.
	m.write("README.md", "Changed.\n")
	m.write("cmd/job/extra.go", "package main\n")
	dirty, r := m.images()
	if dirty["api"].Digest != before["api"].Digest || dirty["job"].Digest == before["job"].Digest || !r.Plan.Dirty {
		t.Errorf("a dirty tree: %s, %s, %t", dirty["api"].Digest, dirty["job"].Digest, r.Plan.Dirty)
	}
	if in := r.Plan.Images[1].Inputs; in.DirtyFile != "cmd/job/extra.go" || !strings.HasSuffix(in.Version, "+dirty") || in.Revision != at["job"] {
		t.Errorf("a dirty input: %+v", in)
	}
	if about := annotationsOf(t, r, dirty["job"]); about["build.thimble.dirty"] != "true" || annotationsOf(t, r, dirty["api"])["build.thimble.dirty"] != "" {
		t.Errorf("a dirty image says %v", about)
	}
	m.run("git", "stash", "-q", "-u")
	m.write("conf/secret.txt", "ignored\n") // by git, and copied
	_, r = m.images()
	if r.Plan.Images[0].Inputs.DirtyFile != "" || r.Plan.Images[1].Inputs.DirtyFile != "conf/secret.txt" {
		t.Errorf("an ignored input: %+v, %+v", r.Plan.Images[0].Inputs, r.Plan.Images[1].Inputs)
	}
}

// A clone without history, a flag that follows from the commit, and a package of unknown
// age are refused, with the way out.
func TestStableDigestsRefuses(t *testing.T) {
	t.Parallel()
	m := newMonorepo(t)
	m.write("README.md", "x\n")
	head := m.commit("the second")
	for _, flag := range []string{"-X=main.version={{.Version}}", "-X=main.commit=" + head[:7], "-X=main.date={{.Date}}"} {
		_, err := build.Plan(t.Context(), m.options(func(o *settings) { o.Config.LDFlags = []string{flag} }).Options)
		refused(t, err, flag, "of LDFlags depends on the commit", "StableDigests")
	}
	if _, err := build.Plan(t.Context(), m.options(func(o *settings) { o.Config.LDFlags = []string{"-X=main.name=x"} }).Options); err != nil {
		t.Error(err)
	}
	shallow := *m
	shallow.dir = filepath.Join(t.TempDir(), "shallow")
	m.run("git", "clone", "-q", "--depth=1", "file://"+m.dir, shallow.dir)
	_, err := build.Plan(t.Context(), shallow.options().Options)
	refused(t, err, "the clone is shallow", "git fetch --unshallow")
	shallow.run("git", "fetch", "-q", "--unshallow")
	if _, err := build.Plan(t.Context(), shallow.options().Options); err != nil {
		t.Error(err)
	}
	ok(t, os.RemoveAll(filepath.Join(shallow.dir, ".git")))
	_, err = build.Plan(t.Context(), shallow.options().Options)
	refused(t, err, "Config.StableDigests", "no git repository")
	shallow.run("git", "init", "-q")
	_, err = build.Plan(t.Context(), shallow.options().Options)
	refused(t, err, "has no commit yet")

	outside := filepath.Join(filepath.Dir(m.dir), "words")
	ok(t, os.MkdirAll(outside, 0o755))
	ok(t, os.WriteFile(filepath.Join(outside, "go.mod"), []byte("module example.com/words\n"), 0o644))
	ok(t, os.WriteFile(filepath.Join(outside, "words.go"), []byte("package words\n\nconst Hello = \"hello\"\n"), 0o644))
	m.run("go", "mod", "edit", "-replace=example.com/words=../words")
	m.commit("a neighbour")
	_, err = build.Plan(t.Context(), m.options().Options)
	refused(t, err, "image api", outside, "outside of the repository")
}

// A release after commits that touch no input of an image uploads nothing of it, and
// gives it the release's tag; so does a push.
func TestReleaseStable(t *testing.T) {
	testtool.OnRequest(t, "minutes: it releases many commits")
	m, key := newMonorepo(t), newKey(t)
	seen, host := registrytest.Before(t, registries[0].start(t))
	o := m.options(to(host, key), warm(t), func(o *settings) { o.Config.Release.MovingTags = []string{"latest"} })
	first := m.run("git", "rev-parse", "HEAD")
	m.run("git", "tag", "v1.0.0")
	r1, err := build.Release(t.Context(), o.release())
	ok(t, err)

	m.write("cmd/job/more.go", "package main\n\nfunc init() { println(\"other\") }\n")
	m.write("cmd/job/more_test.go", "package main\n\nimport \"testing\"\n\nfunc TestMore(*testing.T) {}\n")
	second := m.commit("one service")
	m.run("git", "tag", "v1.1.0")
	seen.Forget()
	r2, err := build.Release(t.Context(), o.release())
	ok(t, err)
	if r1.Images[0].Digest != r2.Images[0].Digest || r1.Images[1].Digest == r2.Images[1].Digest {
		t.Fatalf("from %s, %s to %s, %s", r1.Images[0].Digest, r1.Images[1].Digest, r2.Images[0].Digest, r2.Images[1].Digest)
	}
	// An upload that is opened and cancelled is how the preflight asks for leave.
	writes := func(image string) []string {
		var all []string
		for _, request := range seen.Requests("PUT", "POST", "PATCH", "DELETE") {
			if strings.Contains(request, "/acme/"+image+"/") {
				all = append(all, request)
			}
		}
		if len(all) > 1 && strings.HasPrefix(all[0], "POST ") && strings.HasPrefix(all[1], "DELETE ") {
			all = all[2:]
		}
		return all
	}
	// What is said of the version is new; the tag comes last, and no image is uploaded.
	manifests := slices.DeleteFunc(writes("api"), func(request string) bool { return !strings.Contains(request, "/manifests/") })
	if len(manifests) == 0 || manifests[len(manifests)-1] != "PUT /v2/acme/api/manifests/v1.1.0" {
		t.Errorf("a release that changes nothing writes %q, and its tag last", manifests)
	}
	for _, request := range manifests {
		for _, p := range r1.Images[0].Platforms {
			if strings.HasSuffix(request, "/"+p.Digest) || strings.HasSuffix(request, "/"+r1.Images[0].Digest) {
				t.Errorf("a release that changes nothing writes %s", request)
			}
		}
	}
	if len(writes("job")) < 5 {
		t.Errorf("a release of a change writes %q", writes("job"))
	}
	tags := tagsOf(t, host+"/acme/api")
	for _, tag := range []string{"v1.0.0", "v1.1.0", "latest"} {
		if tags[tag] != r1.Images[0].Digest {
			t.Errorf("tag %s points to %q", tag, tags[tag])
		}
	}
	expected := build.VerifyOptions{Keys: []string{publicOf(key)}}
	for _, img := range []string{"api", "job"} {
		if _, err := build.Verify(t.Context(), verifying(o.Options, expected), host+"/acme/"+img+":v1.1.0"); err != nil {
			t.Error(err)
		}
	}

	seen.Forget()
	_, err = build.Push(t.Context(), o.push())
	ok(t, err)
	for _, img := range []string{"api", "job"} {
		if got, want := writes(img), []string{"PUT /v2/acme/" + img + "/manifests/" + second}; !slices.Equal(got, want) {
			t.Errorf("a push of what is there writes %q, want %q", got, want)
		}
	}

	// The commit is in the provenance: of the unchanged image the one that it was first
	// built from; and from there it can be built again.
	for img, commit := range map[string]string{"api": first, "job": second} {
		c, err := build.Rebuild(t.Context(), rebuilding(stranger(t, func(o *settings) { o.Env = m.env }).Options, build.RebuildOptions{VerifyOptions: expected, Mirror: m.dir}), host+"/acme/"+img+":v1.1.0", self(t))
		ok(t, err)
		if !c.Same || c.Revision != commit || len(c.Causes)+len(c.Notes) > 0 {
			b, _ := json.Marshal(c)
			t.Errorf("%s is built again from %s: %s", img, c.Revision, b)
		}
	}
	c, err := build.Reproduce(t.Context(), o.Options, self(t))
	ok(t, err)
	if !c.Same || len(c.Compared) != 4 {
		t.Errorf("%+v", c.Comparison)
	}
}
