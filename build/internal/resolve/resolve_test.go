package resolve

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"debug/buildinfo"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// repo is a copy of a module of testdata/modules, as a git repository if asked.
type repo struct {
	t   *testing.T
	dir string
	env []string
}

func newRepo(t *testing.T, module string) *repo {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &repo{t: t, dir: filepath.Join(dir, "repo")}
	if err := os.CopyFS(r.dir, os.DirFS(filepath.Join("../../../testdata/modules", module))); err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOWORK=", "SOURCE_DATE_EPOCH=",
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com",
		"GIT_AUTHOR_DATE=2026-02-03T04:05:06Z", "GIT_COMMITTER_DATE=2026-02-03T04:05:06Z")
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := testtool.Command(r.t, "git", args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) commit() *repo {
	r.t.Helper()
	r.git("init", "-q", "-b", "main")
	r.git("add", "-A", "-f")
	r.git("commit", "-q", "-m", "first")
	return r
}

func (r *repo) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) try(cfg plan.Config, env ...string) (*Draft, error) {
	return Start(r.t.Context(), Input{Config: cfg, Workdir: r.dir, Env: append(slices.Clone(r.env), env...), Kit: plan.Kit{Path: "kit", Version: "v1.0.0"}, Dist: filepath.Join(r.dir, "dist")})
}

func (r *repo) resolve(cfg plan.Config, env ...string) *Draft {
	r.t.Helper()
	got, err := r.try(cfg, env...)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// prove compiles the first image and holds what the go command stamped against
// the plan.
func (r *repo) prove(got *Draft) *debug.BuildInfo {
	r.t.Helper()
	p := got.Plan
	dir := r.t.TempDir()
	if err := compile.Build(r.t.Context(), got.Go, p, artifact.Programs(artifact.Targets(p)), dir); err != nil {
		r.t.Fatal(err)
	}
	path := compile.Path(dir, artifact.Programs(artifact.Targets(p))[0])
	f, err := os.Open(path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if _, err := compile.Prove(f, p, artifact.Programs(artifact.Targets(p))[0]); err != nil {
		r.t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}

// TestVersions wants the version that the tags give, and lets the go command stamp its own.
func TestVersions(t *testing.T) {
	testtool.NotShort(t)
	for _, test := range []struct {
		name, module, dir string
		prepare           func(*repo)
		version           string // with %s for the revision's first twelve digits
		moduleVersion     string
	}{
		{name: "no tag", module: "hello", version: "v0.0.0-20260203040506-%s", moduleVersion: "v0.0.0-20260203040506-%s"},
		{name: "tag", module: "hello", prepare: func(r *repo) { r.git("tag", "v1.2.3") }, version: "v1.2.3", moduleVersion: "v1.2.3"},
		{name: "two tags", module: "hello", prepare: func(r *repo) { r.git("tag", "v1.2.3"); r.git("tag", "v1.10.0"); r.git("tag", "stable") },
			version: "v1.10.0", moduleVersion: "v1.10.0"},
		{name: "annotated tag", module: "hello", prepare: func(r *repo) { r.git("tag", "-a", "-m", "x", "v1.2.3") }, version: "v1.2.3", moduleVersion: "v1.2.3"},
		{name: "tag that is no version to Go", module: "hello", prepare: func(r *repo) { r.git("tag", "6.14.1") },
			version: "6.14.1", moduleVersion: "v0.0.0-20260203040506-%s"},
		{name: "major version without a suffix in the path", module: "hello", prepare: func(r *repo) { r.git("tag", "v2.0.0") },
			version: "v2.0.0", moduleVersion: "v0.0.0-20260203040506-%s"},
		{name: "major version with a suffix", module: "several", prepare: func(r *repo) { r.git("tag", "v2.3.0"); r.git("tag", "v1.9.0") },
			version: "v2.3.0", moduleVersion: "v2.3.0"},
		{name: "after a tag", module: "hello", prepare: func(r *repo) {
			r.git("tag", "v1.2.3")
			r.git("commit", "-q", "--allow-empty", "-m", "second")
		}, version: "v1.2.3-1-g%s", moduleVersion: "v1.2.4-0.20260203040506-%s"},
		{name: "after a prerelease", module: "hello", prepare: func(r *repo) {
			r.git("tag", "v1.2.3-rc.1")
			r.git("commit", "-q", "--allow-empty", "-m", "second")
		}, version: "v1.2.3-rc.1-1-g%s", moduleVersion: "v1.2.3-rc.1.0.20260203040506-%s"},
		{name: "after a major version with a suffix", module: "several", prepare: func(r *repo) {
			r.git("tag", "v2.3.0")
			r.git("commit", "-q", "--allow-empty", "-m", "second")
		}, version: "v2.3.0-1-g%s", moduleVersion: "v2.3.1-0.20260203040506-%s"},
		{name: "after a tag that is no version to Go", module: "hello", prepare: func(r *repo) {
			r.git("tag", "6.14.1")
			r.git("tag", "6.9.0")
			r.git("tag", "6.20") // of two numbers: the highest of the commit
			r.git("tag", "nightly")
			r.git("commit", "-q", "--allow-empty", "-m", "second")
			r.git("commit", "-q", "--allow-empty", "-m", "third")
		}, version: "6.20-2-g%s", moduleVersion: "v0.0.0-20260203040506-%s"},
		{name: "after the nearest tag, which is not the highest", module: "hello", prepare: func(r *repo) {
			r.git("tag", "v1.9.0")
			r.git("commit", "-q", "--allow-empty", "-m", "second")
			r.git("tag", "v1.2.3")
			r.git("commit", "-q", "--allow-empty", "-m", "third")
		}, version: "v1.2.3-1-g%s", moduleVersion: "v1.9.1-0.20260203040506-%s"},
		{name: "after tags that are no versions", module: "hello", prepare: func(r *repo) {
			r.git("tag", "v1.2.3")
			r.git("commit", "-q", "--allow-empty", "-m", "second")
			for _, tag := range []string{"v1.9.0.1", "v1/x", "2026.01.02", "v1.4.0+meta", "other/v1.5.0"} {
				r.git("tag", tag)
			}
			r.git("commit", "-q", "--allow-empty", "-m", "third")
		}, version: "v1.2.3-2-g%s", moduleVersion: "v1.4.1-0.20260203040506-%s"},
		{name: "module in a subfolder, after a tag", module: "subfolder", dir: "service", prepare: func(r *repo) {
			r.git("tag", "service/v1.2.3")
			r.git("tag", "v1.9.0")
			r.git("commit", "-q", "--allow-empty", "-m", "second")
		}, version: "v1.2.3-1-g%s", moduleVersion: "(devel)"},
		{name: "changed, after a tag", module: "hello", prepare: func(r *repo) {
			r.git("tag", "v1.2.3")
			r.git("commit", "-q", "--allow-empty", "-m", "second")
			r.write("main.go", "package main\n\nfunc main() {}\n")
		}, version: "v1.2.3-1-g%s+dirty", moduleVersion: "v1.2.4-0.20260203040506-%s+dirty"},
		{name: "a tag of a tag", module: "hello", prepare: func(r *repo) {
			r.git("tag", "-a", "-m", "x", "inner")
			r.git("tag", "-a", "-m", "x", "v1.4.0", "inner")
		}, version: "v1.4.0", moduleVersion: "v1.4.0"},
		{name: "tags that the log hides", module: "hello", prepare: func(r *repo) {
			r.git("tag", "v1.2.3")
			r.git("config", "log.excludeDecoration", "refs/tags/*")
		}, version: "v1.2.3", moduleVersion: "v1.2.4-0.20260203040506-%s"},
		{name: "settings of the log", module: "hello", prepare: func(r *repo) {
			r.git("tag", "v1.2.3")
			for _, name := range []string{"log.showSignature", "log.abbrevCommit", "log.follow"} {
				r.git("config", name, "true")
			}
			r.git("config", "log.date", "relative")
			r.git("config", "i18n.logOutputEncoding", "UTF-16")
		}, version: "v1.2.3", moduleVersion: "v1.2.3"},
		{name: "build metadata in a tag", module: "hello", prepare: func(r *repo) { r.git("tag", "v1.2.3+meta") },
			version: "v1.2.3+meta", moduleVersion: "v1.2.4-0.20260203040506-%s"},
		{name: "after a retracted tag, which does not matter", module: "hello", prepare: func(r *repo) {
			r.git("tag", "v1.2.3")
			r.write("go.mod", "module example.com/hello\n\ngo 1.26\n\nretract [v1.3.0, v1.5.0]\n")
			r.git("commit", "-q", "-a", "-m", "second")
			r.git("tag", "v1.4.0")
			r.git("commit", "-q", "--allow-empty", "-m", "third")
		}, version: "v1.4.0-1-g%s", moduleVersion: "v1.4.1-0.20260203040506-%s"},
		{name: "changed", module: "hello", prepare: func(r *repo) {
			r.git("tag", "v1.2.3")
			r.write("main.go", "package main\n\nfunc main() {}\n")
		}, version: "v1.2.3+dirty", moduleVersion: "v1.2.3+dirty"},
		{name: "untracked", module: "hello", prepare: func(r *repo) { r.write("notes.txt", "x") },
			version: "v0.0.0-20260203040506-%s+dirty", moduleVersion: "v0.0.0-20260203040506-%s+dirty"},
		{name: "untracked, which the user's settings hide", module: "hello", prepare: func(r *repo) {
			r.git("config", "status.showUntrackedFiles", "no")
			r.write("notes.txt", "x")
		}, version: "v0.0.0-20260203040506-%s", moduleVersion: "v0.0.0-20260203040506-%s"},
		{name: "module in a subfolder, no go.mod at the root", module: "subfolder", dir: "service", prepare: func(r *repo) { r.git("tag", "service/v1.2.3") },
			version: "v1.2.3", moduleVersion: "(devel)"},
		{name: "module in a subfolder of a module", module: "subfolder", dir: "service", prepare: func(r *repo) {
			r.write("go.mod", "module example.com/subfolder\n\ngo 1.26\n")
			r.git("add", "-A")
			r.git("commit", "-q", "-m", "second")
			r.git("tag", "service/v1.2.3")
			r.git("tag", "v1.9.0")
		}, version: "v1.2.3", moduleVersion: "v1.2.3"},
		{name: "module in a subfolder that no commit has", module: "hello", dir: "new", prepare: func(r *repo) {
			r.write("new/go.mod", "module example.com/hello/new\n\ngo 1.26\n")
			r.write("new/main.go", "package main\n\nfunc main() {}\n")
		}, version: "v0.0.0-20260203040506-%s+dirty", moduleVersion: "(devel)"},
		{name: "go.mod that no commit has", module: "hello", prepare: func(r *repo) {
			r.git("rm", "-q", "--cached", "go.mod")
			r.git("commit", "-q", "-m", "second")
		}, version: "v0.0.0-20260203040506-%s+dirty", moduleVersion: "v0.0.0-20260203040506-%s+dirty"},
		{name: "go.mod that is edited", module: "hello", prepare: func(r *repo) {
			r.write("go.mod", "module example.com/hello\n\ngo 1.25\n")
		}, version: "v0.0.0-20260203040506-%s+dirty", moduleVersion: "v0.0.0-20260203040506-%s+dirty"},
		{name: "major version that no commit has", module: "hello", prepare: func(r *repo) {
			r.write("go.mod", "module example.com/hello/v2\n\ngo 1.26\n")
		}, version: "v2.0.0-20260203040506-%s+dirty", moduleVersion: "(devel)"},
		{name: "tag of a major version that no commit has", module: "hello", prepare: func(r *repo) {
			r.git("tag", "v2.0.0")
			r.write("go.mod", "module example.com/hello/v2\n\ngo 1.26\n")
		}, version: "v2.0.0+dirty", moduleVersion: "(devel)"},
		{name: "major version after a dot", module: "hello", prepare: func(r *repo) {
			r.write("go.mod", "module gopkg.in/hello.v2\n\ngo 1.26\n")
			r.git("commit", "-q", "-a", "-m", "second")
			r.git("tag", "v2.1.0")
		}, version: "v2.1.0", moduleVersion: "(devel)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t, test.module).commit()
			if test.prepare != nil {
				test.prepare(r)
			}
			got := r.resolve(plan.Config{Dir: test.dir})
			fill := func(s string) string { return strings.ReplaceAll(s, "%s", r.git("rev-parse", "HEAD")[:12]) }
			if want := fill(test.version); got.Plan.Version != want {
				t.Errorf("version = %s, want %s", got.Plan.Version, want)
			}
			if info := r.prove(got); info.Main.Version != fill(test.moduleVersion) {
				t.Errorf("the go command stamped %s", info.Main.Version)
			}
		})
	}
}

func TestShallowCloneSaysSo(t *testing.T) {
	testtool.NotShort(t)
	origin := newRepo(t, "hello").commit()
	origin.git("tag", "v1.0.0")
	origin.git("commit", "-q", "--allow-empty", "-m", "second")
	clone := newRepo(t, "hello")
	clone.dir = filepath.Join(t.TempDir(), "clone")
	origin.git("clone", "-q", "--depth=1", "file://"+origin.dir, clone.dir)
	got := clone.resolve(plan.Config{})
	if !got.Plan.Shallow || !strings.HasPrefix(got.Plan.Version, "v0.0.0-") {
		t.Errorf("shallow = %v, version = %s", got.Plan.Shallow, got.Plan.Version)
	}
	if !strings.Contains(strings.Join(got.Notices, "\n"), "git fetch --unshallow --tags") {
		t.Errorf("notices = %q", got.Notices)
	}
	clone.prove(got)
	clone.git("fetch", "-q", "--unshallow", "--tags")
	if got := clone.resolve(plan.Config{}); got.Plan.Shallow || !strings.HasPrefix(got.Plan.Version, "v1.0.0-1-g") || len(got.Notices) > 0 {
		t.Errorf("after git fetch: version = %s, notices = %q", got.Plan.Version, got.Notices)
	}
}

func TestLinkedWorktreeIsNotStamped(t *testing.T) {
	testtool.NotShort(t)
	main := newRepo(t, "hello").commit()
	main.git("tag", "v1.0.0")
	// inside the main one, where the go command would find the wrong commit
	main.git("worktree", "add", "-q", "-b", "other", filepath.Join(main.dir, "wt"))
	linked := *main
	linked.dir = filepath.Join(main.dir, "wt")
	linked.git("commit", "-q", "--allow-empty", "-m", "second")
	got := linked.resolve(plan.Config{}, "GOTOOLCHAIN=go1.26.8")
	if got.Plan.Build.Stamp || got.Plan.Revision != linked.git("rev-parse", "HEAD") || len(got.Notices) != 1 {
		t.Errorf("stamp = %v, revision = %s, notices = %q", got.Plan.Build.Stamp, got.Plan.Revision, got.Notices)
	}
	linked.prove(got)
}

func TestWithoutGit(t *testing.T) {
	r := newRepo(t, "hello")
	got := r.resolve(plan.Config{})
	if p := got.Plan; p.Version != "unknown" || p.Revision != "" || p.Dirty || p.SourceDateEpoch != 0 {
		t.Errorf("plan = %+v", p)
	}
	if len(got.Notices) != 1 || !strings.Contains(got.Notices[0], "version is unknown") {
		t.Errorf("notices = %q", got.Notices)
	}
	r.prove(got)
	r.git("init", "-q")
	if got := r.resolve(plan.Config{}); got.Plan.Version != "unknown" {
		t.Errorf("without a commit: version = %s", got.Plan.Version)
	}
	r.prove(r.resolve(plan.Config{}))
}

func TestMains(t *testing.T) {
	got := newRepo(t, "several").resolve(plan.Config{})
	var names, packages []string
	for _, img := range got.Plan.Images {
		names, packages = append(names, img.Name), append(packages, img.Package)
	}
	if want := []string{"api", "several", "worker"}; !slices.Equal(names, want) {
		t.Errorf("names = %q, want %q", names, want)
	}
	if want := []string{"example.com/several/v2/cmd/API", "example.com/several/v2", "example.com/several/v2/cmd/jobs/worker"}; !slices.Equal(packages, want) {
		t.Errorf("packages = %q, want %q", packages, want)
	}
}

func TestWorkspace(t *testing.T) {
	r := newRepo(t, "workspace").commit()
	got := r.resolve(plan.Config{Dir: "service"})
	if got.Plan.Toolchain.Work != "../go.work" {
		t.Errorf("gowork = %q", got.Plan.Toolchain.Work)
	}
	r.prove(got)
	s, err := golist.List(t.Context(), got.Tree(), got.Plan.Platforms[0])
	if err != nil {
		t.Fatal(err)
	}
	modules := s.Modules(got.Tree().Mains[0])
	if len(modules) != 2 || modules[0].Path != "example.com/workspace/lib" || !slices.Equal(modules[1].Imports, []string{"example.com/workspace/lib", "std"}) {
		t.Errorf("modules = %+v", modules)
	}
	off := r.resolve(plan.Config{Dir: "service"}, "GOWORK=off")
	if off.Plan.Toolchain.Work != "" {
		t.Errorf("gowork = %q with GOWORK=off", off.Plan.Toolchain.Work)
	}
}

func TestVendored(t *testing.T) {
	r := newRepo(t, "vendored").commit()
	got := r.resolve(plan.Config{}, "GOPROXY=off")
	if got.Plan.Toolchain.Mod != "vendor" {
		t.Errorf("-mod = %q", got.Plan.Toolchain.Mod)
	}
	r.prove(got)
}

// TestSettingsDoNotLeak sets what must not reach the binary.
func TestSettingsDoNotLeak(t *testing.T) {
	r := newRepo(t, "hello").commit()
	goenv := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(goenv, []byte("GOFLAGS=-mod=mod -tags=from,env\nGOAMD64=v3\nCGO_ENABLED=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := r.resolve(plan.Config{BuildTags: []string{"config"}}, "GOENV="+goenv, "CGO_LDFLAGS=-lm", "GOOS=plan9", "GOARCH=386")
	if p := got.Plan; !slices.Equal(p.Build.Tags, []string{"config", "env", "from"}) || p.Toolchain.Mod != "mod" {
		t.Errorf("tags = %q, -mod = %s", p.Build.Tags, p.Toolchain.Mod)
	}
	if p := got.Plan.Platforms[0]; p.Architecture == "amd64" && p.Variant != "v3" {
		t.Errorf("platform = %s, want the variant that GOAMD64 asks for", p)
	}
	if testtool.Part(t, "the standard library is compiled for other machines") {
		r.prove(got)
	}
}

func TestPlanIsStable(t *testing.T) {
	r := newRepo(t, "several").commit()
	a, err := r.resolve(plan.Config{}).Plan.JSON()
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.resolve(plan.Config{}).Plan.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Errorf("two plans differ:\n%s\n%s", a, b)
	}
	if strings.Contains(string(a), r.dir) {
		t.Errorf("the plan has an absolute path:\n%s", a)
	}
	var back plan.Plan
	if err := json.Unmarshal(a, &back); err != nil {
		t.Fatal(err)
	}
	if c, _ := back.JSON(); string(c) != string(a) {
		t.Errorf("the plan changes when it is read:\n%s\n%s", a, c)
	}
}

func TestEpoch(t *testing.T) {
	r := newRepo(t, "hello").commit()
	if got := r.resolve(plan.Config{}).Plan.SourceDateEpoch; got != 1770091506 {
		t.Errorf("epoch = %d, want the commit's", got)
	}
	if got := r.resolve(plan.Config{}, "SOURCE_DATE_EPOCH=42").Plan.SourceDateEpoch; got != 42 {
		t.Errorf("epoch = %d, want SOURCE_DATE_EPOCH", got)
	}
}

// TestRefusals wants an error with the way out for each of these.
func TestRefusals(t *testing.T) {
	testtool.NotShort(t)
	image := func(c plan.ImageConfig) plan.Config {
		c.Package = "."
		return plan.Config{Images: []plan.ImageConfig{c}}
	}
	for _, test := range []struct {
		name, module, want string
		cfg                plan.Config
		env                []string
		platforms          []string
	}{
		{name: "no go.mod", module: "subfolder", want: "no go.mod in .; set Config.Dir"},
		{name: "no main package", module: "workspace", cfg: plan.Config{Dir: "lib"}, want: "none under cmd/ and none at the root"},
		{name: "not a main package", module: "several", cfg: plan.Config{Images: []plan.ImageConfig{{Package: "./internal/greet"}}}, want: "no package main"},
		{name: "outside the module", module: "several", cfg: plan.Config{Images: []plan.ImageConfig{{Package: "../x"}}}, want: "not in module"},
		{name: "two alike", module: "several", cfg: plan.Config{Images: []plan.ImageConfig{{Package: "."}, {Package: "./cmd/API", Name: "several"}}}, want: `two images are called "several"`},
		{name: "illegal name", module: "hello", cfg: image(plan.ImageConfig{Name: "Hello World"}), want: "lower-case letters"},
		{name: "illegal repository", module: "hello", cfg: plan.Config{Repository: "ghcr.io/ACME"}, want: "repository"},
		{name: "unknown need", module: "hello", cfg: image(plan.ImageConfig{Include: []string{"magic"}}), want: `the need "magic" is not known; known are ca-certificates`},
		{name: "contradiction", module: "hello", cfg: image(plan.ImageConfig{Include: []string{"tmp"}, Exclude: []string{"tmp"}}), want: "both included and excluded"},
		{name: "user", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{User: "root"}}), want: "nor the name of one of Users"},
		{name: "group of nobody", module: "hello", cfg: image(plan.ImageConfig{Users: []plan.User{{Name: "app", UID: 1}}, Runtime: plan.Runtime{User: "app:wheel"}}), want: "nor the name of one of Users"},
		{name: "two build tags in one", module: "hello", cfg: plan.Config{BuildTags: []string{"netgo,osusergo"}}, want: `build tag "netgo,osusergo" of BuildTags is not letters`},
		{name: "licences", module: "hello", cfg: image(plan.ImageConfig{Licenses: "Apache 2.0"}), want: `licenses "Apache 2.0" is not an SPDX expression`},
		{name: "user of three", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{User: "1:2:3"}}), want: `user "1:2:3" is neither a uid`},
		{name: "user beyond what engines take", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{User: "65532:2147483648"}}), want: "2147483648 is not from 0 to 2147483647"},
		{name: "user's name", module: "hello", cfg: image(plan.ImageConfig{Users: []plan.User{{Name: "App", UID: 1}}}), want: "lower-case letters"},
		{name: "second root", module: "hello", cfg: image(plan.ImageConfig{Users: []plan.User{{Name: "app"}}}), want: "uid 0 is not from 1"},
		{name: "user's home", module: "hello", cfg: image(plan.ImageConfig{Users: []plan.User{{Name: "app", UID: 1, Home: "/a:b"}}}), want: `home "/a:b" is not a clean absolute path`},
		{name: "user twice", module: "hello", cfg: image(plan.ImageConfig{Users: []plan.User{{Name: "app", UID: 1}, {Name: "api", UID: 1}}}), want: "appears twice"},
		{name: "capability", module: "hello", cfg: image(plan.ImageConfig{Capabilities: []string{"cap_all"}}), want: `no capability "cap_all"`},
		{name: "asset's capability", module: "hello", cfg: image(plan.ImageConfig{Assets: []plan.Asset{{Source: "main.go", Target: "/x", Capabilities: []string{"root"}}}}), want: `asset main.go: there is no capability "root"`},
		{name: "port", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{Ports: []string{"70000"}}}), want: "1 to 65535"},
		{name: "environment", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{Env: []string{"A B"}}}), want: "NAME=value"},
		{name: "signal", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{StopSignal: "term"}}), want: "SIGTERM"},
		{name: "signal that there is not", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{StopSignal: "SIGFOO"}}), want: "SIGTERM"},
		{name: "signal beyond the last", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{StopSignal: "65"}}), want: "SIGTERM"},
		{name: "label without a name", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{Labels: map[string]string{"": "x"}}}), want: "a label has no name"},
		{name: "healthcheck in nanoseconds", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{
			Healthcheck: &plan.Healthcheck{Command: []string{"health"}, Interval: 30},
		}}), want: "a time of 30ns; write one such as 5*time.Second"},
		{name: "name for all", module: "hello", cfg: plan.Config{Defaults: plan.ImageConfig{Name: "api"}}, want: `Config.Defaults has the Name "api", but each image needs a different one`},
		{name: "package for all", module: "hello", cfg: plan.Config{Defaults: plan.ImageConfig{Package: "."}}, want: "but each image has its own; set Package"},
		{name: "programs for all", module: "hello", cfg: plan.Config{Defaults: plan.ImageConfig{Programs: []plan.Program{{Package: "."}}}}, want: "set Programs in Config.Images"},
		{name: "the image's own program", module: "several", cfg: image(plan.ImageConfig{Programs: []plan.Program{{Package: ".", Name: "x"}}}), want: "is the image's own; remove it from Programs, or add a symlink"},
		{name: "two programs of one name", module: "several", cfg: image(plan.ImageConfig{Programs: []plan.Program{{Package: "./cmd/API"}, {Package: "./tools/gen", Name: "api"}}}), want: `two programs are called "api": example.com/several/v2/cmd/API and example.com/several/v2/tools/gen`},
		{name: "a program with the image's name", module: "several", cfg: image(plan.ImageConfig{Name: "api", Programs: []plan.Program{{Package: "./cmd/API"}}}), want: `two programs are called "API"`},
		{name: "a program's name", module: "several", cfg: image(plan.ImageConfig{Programs: []plan.Program{{Package: "./cmd/API", Name: "../x"}}}), want: `"../x" is not a name of letters`},
		{name: "no such program", module: "hello", cfg: image(plan.ImageConfig{Programs: []plan.Program{{Package: "./cmd/x"}}}), want: `find main package "./cmd/x": there is no such folder`},
		{name: "no program", module: "several", cfg: image(plan.ImageConfig{Programs: []plan.Program{{Package: "./internal/greet"}}}), want: "no package main in it"},
		{name: "a program in no module", module: "hello", cfg: image(plan.ImageConfig{Programs: []plan.Program{{Package: ".."}}}), want: "no go.mod is in it or above it"},
		{name: "a program of another module", module: "workspace", env: []string{"GOWORK=off"}, cfg: plan.Config{Dir: "service", Images: []plan.ImageConfig{{Package: ".", Programs: []plan.Program{{Package: "../lib"}}}}}, want: "go work use . ../lib"},
		{name: "FIPS", module: "hello", cfg: image(plan.ImageConfig{FIPS140: "1.0"}), want: `FIPS140 is "1.0"; it can be a version such as v1.0.0`},
		{name: "cgo", module: "hello", cfg: image(plan.ImageConfig{Cgo: "true"}), want: `Cgo is "true"; it can be "on" or "off"`},
		{name: "image's build tags", module: "hello", cfg: image(plan.ImageConfig{BuildTags: []string{"a b"}}), want: `build tag "a b" of BuildTags`},
		{name: "image's linker flags", module: "hello", cfg: image(plan.ImageConfig{LDFlags: []string{"{{.Versoin}}"}}), want: `expand "{{.Versoin}}" of LDFlags`},
		{name: "entrypoint", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{Entrypoint: []string{"hello"}}}), want: `["hello"] does not begin with a clean absolute path`},
		{name: "volume", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{Volumes: []string{"/"}}}), want: `volume "/" is not a clean absolute path of a folder`},
		{name: "volume twice", module: "hello", cfg: image(plan.ImageConfig{Runtime: plan.Runtime{Volumes: []string{"/a", "/a"}}}), want: `volume "/a" appears twice`},
		{name: "symlink", module: "hello", cfg: image(plan.ImageConfig{Symlinks: []plan.Symlink{{Path: "bin/x", Target: "/app/hello"}}}), want: `the path "bin/x" of a symlink is not a clean absolute path`},
		{name: "symlink's target", module: "hello", cfg: image(plan.ImageConfig{Symlinks: []plan.Symlink{{Path: "/bin/x", Target: "hello"}}}), want: `symlink /bin/x: the target "hello" is not`},
		{name: "symlink twice", module: "hello", cfg: image(plan.ImageConfig{Symlinks: []plan.Symlink{{Path: "/x", Target: "/a"}, {Path: "/x", Target: "/b"}}}), want: "symlink /x appears twice"},
		{name: "no such package", module: "hello", cfg: plan.Config{Images: []plan.ImageConfig{{Package: "./cmd/api"}}}, want: `find main package "./cmd/api": no package main in cmd/api`},
		{name: "a file for a folder", module: "hello", cfg: plan.Config{Dir: "main.go"}, want: "no go.mod in main.go; set Config.Dir"},
		{name: "compression", module: "hello", cfg: plan.Config{Compression: "lzma"}, want: "gzip or zstd"},
		{name: "epoch", module: "hello", env: []string{"SOURCE_DATE_EPOCH=yesterday"}, want: `"yesterday" is not a number`},
		{name: "flags", module: "hello", env: []string{"GOFLAGS=-mod=mod -buildmode=pie"}, want: "GOFLAGS has -buildmode=pie"},
		{name: "platform", module: "hello", platforms: []string{"linux"}, want: "os/arch"},
		{name: "operating system", module: "hello", platforms: []string{"windows/amd64"}, want: "only for linux"},
		{name: "architecture", module: "hello", platforms: []string{"linux/vax"}, want: "no port"},
		{name: "variant", module: "hello", platforms: []string{"linux/arm/v9"}, want: "v5, v6, v7"},
		{name: "platform twice", module: "hello", platforms: []string{"linux/amd64", "linux/amd64/v1"}, want: "twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRepo(t, test.module)
			_, err := Start(t.Context(), Input{Config: test.cfg, Workdir: r.dir, Env: append(r.env, test.env...), Platforms: test.platforms})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error = %v, want it to say %q", err, test.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %v", err)
			}
		})
	}
}

// Flags of a plan are no templates: what looks like one is what the binary gets.
func TestExpandedFlags(t *testing.T) {
	r := newRepo(t, "hello").commit()
	flags := []string{"-X=main.a={{.Version}}", `-X=main.b={{""}}`}
	for _, stable := range []bool{false, true} {
		got, err := Start(t.Context(), Input{Config: plan.Config{LDFlags: flags, StableDigests: stable}, Workdir: r.dir, Env: r.env, Expanded: true})
		if err != nil || !slices.Equal(got.Plan.Build.LDFlags[2:], flags) {
			t.Errorf("stable %t: %v, %+v", stable, err, got)
		}
	}
}

// A module's path is an argument of the go command.
func TestModulePath(t *testing.T) {
	r := newRepo(t, "hello")
	r.write("go.mod", "module \"-toolexec=/bin/sh\"\n\ngo 1.26\n")
	if _, err := r.try(plan.Config{}); err == nil || !strings.Contains(err.Error(), "malformed import path") {
		t.Errorf("error = %v", err)
	}
}
