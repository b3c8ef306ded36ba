package reproduce

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// No link of a stranger's clone leads out of it: neither what is written into dist, nor
// what is read of the files that the build generated.
func TestLinksOutOfTheRoom(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	r := &Room{layout: layout{dir}, source: Source{Workdir: "team", Config: plan.Config{Dir: "svc", Dist: "out/dist"}}}
	source := r.tree()
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(outside, "go.mod"), "module secret\n")
	write(filepath.Join(source, "team", "svc", "go.mod"), "module x\n")
	if err := inside(r.tree(), r.source); err != nil {
		t.Error(err)
	}
	for _, link := range []string{"team/svc", "team/out", "team/out/dist", "team"} {
		if err := os.RemoveAll(filepath.Join(source, "team")); err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(source, filepath.FromSlash(link))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, at); err != nil {
			t.Skip(err) // Windows asks for a right
		}
		if err := inside(r.tree(), r.source); err == nil || !strings.Contains(err.Error(), "has a link where a folder is needed") {
			t.Errorf("%s: %v", link, err)
		}
	}

	write(filepath.Join(source, "generated", "a.go"), "package a\n")
	if err := os.Symlink(filepath.Join(outside, "go.mod"), filepath.Join(source, "generated", "b.go")); err != nil {
		t.Fatal(err)
	}
	got, err := generatedContent(r.layout, []string{"generated"})
	if err != nil || !slices.Equal(slices.Collect(maps.Keys(got)), []string{"generated/a.go"}) {
		t.Errorf("%q, %v", got, err)
	}
	for _, name := range []string{"team/go.mod", "../../" + filepath.Base(outside), outside} {
		if got, err := generatedContent(r.layout, []string{name}); len(got) != 0 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// The go command writes go.mod, go.sum and go.work.sum while it fetches, where no sandbox
// is: none of them leads out of the clone.
func TestModuleFilesOutOfTheRoom(t *testing.T) {
	for name, test := range map[string]struct {
		links   map[string]string // to what, by the file in the clone; "/" begins one outside
		work    string
		refused string
	}{
		"none":                             {},
		"another file of the clone":        {links: map[string]string{"svc/go.sum": "../shared.sum", "svc/other.go": "/secret"}},
		"go.sum to nothing":                {links: map[string]string{"svc/go.sum": "/authorized_keys"}, refused: "svc/go.sum"},
		"go.sum to a file outside":         {links: map[string]string{"svc/go.sum": "/secret"}, refused: "svc/go.sum"},
		"go.mod by a relative link":        {links: map[string]string{"svc/go.mod": "../../../../x"}, refused: "svc/go.mod"},
		"through a link in the clone":      {links: map[string]string{"svc/go.sum": "../a", "a": "/secret"}, refused: "svc/go.sum"},
		"a workspace's sums":               {links: map[string]string{"go.work.sum": "/secret"}, work: "../go.work", refused: "go.work.sum"},
		"a workspace of another name":      {links: map[string]string{"x.work.sum": "/secret"}, work: "../x.work", refused: "x.work.sum"},
		"a module of the workspace":        {links: map[string]string{"lib/go.mod": "/secret"}, work: "../go.work", refused: "lib/go.mod"},
		"a workspace in a folder outside":  {links: map[string]string{"w": "/"}, work: "../w/go.work", refused: "a link where a folder is needed: w"},
		"a replacement by a linked folder": {links: map[string]string{"w": "lib"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			outside := filepath.Join(dir, "outside")
			r := &Room{layout: layout{filepath.Join(dir, "room")}, source: Source{Config: plan.Config{Dir: "svc", Dist: "dist"}, Plan: &plan.Plan{}}}
			r.source.Plan.Toolchain.Work = test.work
			for _, file := range []string{filepath.Join(outside, "secret"), filepath.Join(r.tree(), "shared.sum"), filepath.Join(r.tree(), "svc", "main.go"), filepath.Join(r.tree(), "lib", "a.go")} {
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			for at, to := range test.links {
				if strings.HasPrefix(to, "/") {
					to = outside + to
				}
				if err := os.Symlink(to, filepath.Join(r.tree(), filepath.FromSlash(at))); err != nil {
					t.Skip(err) // Windows asks for a right
				}
			}
			err = inside(r.tree(), r.source)
			if test.refused == "" && err != nil || test.refused != "" && (err == nil || !strings.HasSuffix(err.Error(), test.refused)) {
				t.Errorf("error %v, want it to name %q", err, test.refused)
			}
		})
	}
}

// What a build left is read outside of the sandbox: no link of it leads to the user's files.
func TestWhatTheBuildLeft(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret")
	r := &Room{layout: layout{filepath.Join(dir, "room")}, source: Source{Config: plan.Config{Dist: "dist"}, Plan: &plan.Plan{}}}
	dist := filepath.Join(r.tree(), "dist")
	for _, link := range []string{"", filepath.Join(dist, "manifest.json"), filepath.Join(dist, "x.oci", "blobs"), dist, r.resultFile()} {
		if err := errors.Join(os.RemoveAll(r.dir), os.MkdirAll(filepath.Join(dist, "x.oci"), 0o755), os.WriteFile(secret, nil, 0o600), os.WriteFile(r.resultFile(), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if link != "" {
			if err := os.RemoveAll(link); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(secret, link); err != nil {
				t.Skip(err) // Windows asks for a right
			}
		}
		if err := plainFiles(r.layout, r.source); (err != nil) != (link != "") {
			t.Errorf("%q: %v", link, err)
		}
	}
}
