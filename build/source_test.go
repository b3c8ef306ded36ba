package build_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/plan"
)

// sourceRepo is a repository with a service of its own, one commit and the tag v1.0.0.
type sourceRepo struct {
	testing.TB
	*monorepo
}

func newSourceRepo(t testing.TB, files map[string]string) *sourceRepo {
	t.Helper()
	m := &monorepo{TB: t, dir: filepath.Join(t.TempDir(), "repo"), env: environment("COSIGN_PASSWORD=" + password)}
	r := &sourceRepo{t, m}
	m.write("go.mod", "module example.com/svc\n\ngo 1.26\n")
	m.write("main.go", "package main\n\nvar version string\n\nfunc main() { println(version) }\n")
	m.write(".gitignore", "/dist/\n/ignored/\n")
	for name, content := range files {
		m.write(name, content)
	}
	m.run("git", "init", "-q", "-b", "main")
	m.commit("first")
	m.run("git", "tag", "v1.0.0")
	return r
}

func (r *sourceRepo) options(change ...func(*settings)) settings {
	return options(r.TB, r.dir, append([]func(*settings){func(o *settings) { o.Env = r.env }}, change...)...)
}

// image makes the image, and returns the plan and what its program prints.
func (r *sourceRepo) image(change ...func(*settings)) (*plan.Plan, string) {
	r.TB.Helper()
	result, err := build.Image(r.TB.Context(), r.options(change...).image())
	ok(r.TB, err)
	printed := ""
	if runtime.GOOS == "linux" {
		printed = r.run(filepath.Join(result.Dist, result.Images[0].Platforms[0].Binary.Path))
	}
	return result.Plan, printed
}

// What the program prints, the tag and the plan agree, although the change is found only
// beside the compiler.
func TestFlagsSayThatTheTreeIsDirty(t *testing.T) {
	r := newSourceRepo(t, nil)
	flags := func(o *settings) { o.Config.LDFlags = []string{"-X=main.version={{.Tag}}"} }
	if p, printed := r.image(flags); p.Dirty || p.Version != "v1.0.0" || printed != "" && printed != "v1.0.0" {
		t.Errorf("clean: %t, %s, it prints %q", p.Dirty, p.Version, printed)
	}
	r.run("git", "update-index", "--assume-unchanged", "main.go")
	r.write("main.go", "package main\n\nvar version string\n\nfunc main() { println(version + \" edited\") }\n")
	p, printed := r.image(flags)
	if !p.Dirty || p.DirtyFile != "main.go" || p.Version != "v1.0.0+dirty" || p.Images[0].Tags[0] != "v1.0.0-dirty" {
		t.Errorf("edited: %t (%s), %s, %q", p.Dirty, p.DirtyFile, p.Version, p.Images[0].Tags)
	}
	if want := "v1.0.0+dirty edited"; printed != "" && printed != want {
		t.Errorf("it prints %q, want %q", printed, want)
	}
	if !slices.Contains(p.Build.LDFlags, "-X=main.version=v1.0.0+dirty") {
		t.Errorf("the flags are %q", p.Build.LDFlags)
	}
}

// A test that edits a source file and restores it changes nothing in the image.
func TestATestEditsTheSource(t *testing.T) {
	r := newSourceRepo(t, map[string]string{"main_test.go": `package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestEdit(t *testing.T) {
	before, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("main.go", []byte(strings.Replace(string(before), "println(version)", "println(\"from a test\")", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	if err := os.WriteFile("main.go", before, 0o644); err != nil {
		t.Fatal(err)
	}
}
`})
	tested := func(o *settings) { o.SkipTests, o.Config.Test.Args = false, []string{"-count=1"} }
	for range 2 { // without a list of an earlier run, and with it
		if p, printed := r.image(tested); p.Dirty || printed != "" {
			t.Errorf("dirty: %t (%s), it prints %q", p.Dirty, p.DirtyFile, printed)
		}
	}
}

// The licence in the documents is that of the compared file, although the file changes before
// that.
func TestLicenseThatChanges(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	isc := must(os.ReadFile(filepath.Join("internal", "license", "testdata", "ISC")))
	r := newSourceRepo(t, map[string]string{"LICENSE": string(isc)})
	r.image() // the licences are in the cache
	r.run("git", "update-index", "--assume-unchanged", "LICENSE")
	r.write("LICENSE", string(must(os.ReadFile(filepath.Join("internal", "license", "testdata", "MIT")))))
	if p, _ := r.image(); !p.Dirty || p.DirtyFile != "LICENSE" || p.Images[0].Licenses != "MIT" {
		t.Errorf("dirty %t (%s), with the licence %s", p.Dirty, p.DirtyFile, p.Images[0].Licenses)
	}
	// This git waits, and sets the licence right, before the commit can be compared.
	real := must(exec.LookPath("git"))
	bin := t.TempDir()
	script := "#!/bin/sh\ncase \" $* \" in *' ls-tree '*) sleep 1; '" + real + "' cat-file blob HEAD:LICENSE >'" + filepath.Join(r.dir, "LICENSE") + "';; esac\nexec '" + real + "' \"$@\"\n"
	ok(t, os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o755))
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	if p, _ := r.image(); p.Dirty || p.Images[0].Licenses != "ISC" {
		t.Errorf("dirty %t (%s), with the licence %s", p.Dirty, p.DirtyFile, p.Images[0].Licenses)
	}
}

// A file that is added after the comparison is not copied without it.
func TestAssetThatATestAdds(t *testing.T) {
	r := newSourceRepo(t, map[string]string{"static/kept.txt": "kept", "main_test.go": `package main

import (
	"os"
	"testing"
	"time"
)

func TestAdd(t *testing.T) {
	time.Sleep(time.Second)
	if err := os.WriteFile("static/added.txt", nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
`})
	r.write(".git/info/exclude", "/static/added.txt\n")
	o := r.options(func(o *settings) {
		o.SkipTests = false
		o.Config.Defaults.Assets = []build.Asset{{Source: "static", Target: "/static"}}
	})
	_, err := build.Image(t.Context(), o.image())
	refused(t, err, "static/added.txt changed during the build")
	// Now it is there from the beginning, and is compared.
	o.SkipTests = true
	result, err := build.Image(t.Context(), o.image())
	if ok(t, err); result.Plan.DirtyFile != "static/added.txt" {
		t.Errorf("dirty %t (%s)", result.Plan.Dirty, result.Plan.DirtyFile)
	}
}

// A source that is added after the list and before the compiler reads it is compared too.
func TestSourceThatIsAdded(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	r := newSourceRepo(t, nil)
	r.image()
	r.write(".git/info/exclude", "/added.go\n")
	r.write("main.go", "package main\n\nvar version string\n\nfunc main() { println(version + \"!\") }\n")
	r.commit("another")
	real := must(exec.LookPath("go"))
	bin := t.TempDir()
	added := filepath.Join(r.dir, "added.go")
	script := "#!/bin/sh\nif [ \"$1\" = build ] && ! [ -e '" + added + "' ]; then sleep 2; printf 'package main\\n\\nfunc init() { println(1) }\\n' >'" + added + "'; fi\nexec '" + real + "' \"$@\"\n"
	ok(t, os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o755))
	r.env = append(r.env, "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	p, printed := r.image()
	if !p.Dirty || p.DirtyFile != "added.go" || printed != "" && !strings.Contains(printed, "1") {
		t.Errorf("dirty %t (%s), and it prints %q", p.Dirty, p.DirtyFile, printed)
	}
}

// What Config.Before makes is in the plan by its hash, and does not make the tree dirty.
func TestGenerated(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	script := func(text string) func(*settings) {
		return func(o *settings) { o.Config.Before = [][]string{{"sh", "-c", text}} }
	}
	const makes = "echo 'package main' >gen.go; mkdir -p ignored; echo made >ignored/file.txt"
	assets := func(o *settings) {
		o.Config.Defaults.Assets = []build.Asset{{Source: "ignored", Target: "/srv"}}
	}
	r := newSourceRepo(t, nil)
	names := func(p *plan.Plan) (list []string) {
		for _, g := range p.Generated {
			if len(g.SHA256) != 64 {
				t.Errorf("%s has the hash %q", g.Name, g.SHA256)
			}
			list = append(list, g.Name)
		}
		return list
	}
	want := []string{"gen.go", "ignored/file.txt"}
	for _, again := range []string{"the first time", "again"} {
		p, _ := r.image(script(makes), assets)
		if p.Dirty || p.ModuleVersion != "v1.0.0" || !slices.Equal(names(p), want) {
			t.Errorf("%s: dirty %t (%s: %s), %s, generated %q", again, p.Dirty, p.DirtyFile, p.DirtyCause, p.ModuleVersion, names(p))
		}
	}
	if _, err := build.Image(t.Context(), r.options(script(makes), assets, func(o *settings) { o.Config.RefuseGenerated = true }).image()); err == nil || !strings.Contains(err.Error(), "Config.RefuseGenerated") {
		t.Errorf("refused: %v", err)
	}
	// Somebody's own file in the same place.
	r.write("gen.go", "package main // by hand\n")
	if p, _ := r.image(script(makes), assets); !p.Dirty || p.DirtyFile != "gen.go" || !strings.Contains(p.DirtyCause, "remove it") {
		t.Errorf("by hand: dirty %t (%s: %s)", p.Dirty, p.DirtyFile, p.DirtyCause)
	}
	// A tracked file that Before changes.
	ok(t, os.Remove(filepath.Join(r.dir, "gen.go")))
	if p, _ := r.image(script("echo '// x' >>main.go")); !p.Dirty || p.DirtyFile != "main.go" {
		t.Errorf("a tracked file: dirty %t (%s)", p.Dirty, p.DirtyFile)
	}
	r.run("git", "checkout", "-q", "--", "main.go")

	// A release removes what an earlier run made, and nothing else.
	r.image(script(makes), assets)
	r.write("ignored/own.txt", "by hand")
	_, err := build.Release(t.Context(), r.options(script("test -e ignored/own.txt && ! test -e gen.go && ! test -e ignored/file.txt && exit 3"), func(o *settings) { o.Platforms = nil }).release())
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a release begins with %v", err)
	}
}

// With -allowDirty, the tag of a release says that the tree is dirty, although that is found
// when the images are made.
func TestDirtyReleaseSaysSo(t *testing.T) {
	r := newSourceRepo(t, nil)
	r.run("git", "update-index", "--skip-worktree", "main.go")
	r.write("main.go", "package main\n\nfunc main() {}\n")
	_, err := build.Release(t.Context(), r.options().release())
	if err == nil || !strings.Contains(err.Error(), "the tree differs from the commit: main.go") {
		t.Errorf("without -allowDirty: %v", err)
	}
	result, err := build.Release(t.Context(), r.options(func(o *settings) { o.AllowDirty = true }).release())
	if err != nil || !slices.Equal(result.Images[0].Tags, []string{"v1.0.0-dirty"}) {
		t.Errorf("with -allowDirty: %v, %v", result, err)
	}
	host := registrytest.InProcess(t, true)
	_, err = build.Release(t.Context(), r.options(func(o *settings) { o.AllowDirty = true }, to(host, newKey(t))).release())
	ok(t, err)
	tags := must(remote.List(must(name.NewRepository(host + "/acme/svc"))))
	if !slices.Contains(tags, "v1.0.0-dirty") || slices.Contains(tags, "v1.0.0") {
		t.Errorf("the registry has the tags %q", tags)
	}
}
