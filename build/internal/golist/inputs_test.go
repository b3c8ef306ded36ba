package golist

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/internal/git"
)

// TestCInputs wants everything that C may include, and all modules that replace others, to be
// inputs: what makes the tree dirty must make the image dirty too.
func TestCInputs(t *testing.T) {
	r := newRepo(t, "hello")
	native := "package native\n\n// #cgo CFLAGS: -I${SRCDIR}/../../include\n// #include \"../../above.h\"\nimport \"C\"\n"
	for name, content := range map[string]string{
		"svc/go.mod":  "module example.com/svc\n\ngo 1.26\n\nreplace example.com/other => ../other\n",
		"svc/main.go": "package main\n\nimport _ \"example.com/svc/native\"\n\nfunc main() {}\n", "svc/native/n.go": native,
		"svc/deep/er/z.h": "", "svc/deep/z_test.go": "package deep\n", "above.h": "#include \"chain.h\"\n", "chain.h": "",
		"include/i.h": "", "shared/s.h": "", "other/go.mod": "module example.com/other\n", "other/o.go": "package other\n", "README.md": "",
	} {
		r.write(name, content)
	}
	if err := os.Symlink("../shared", filepath.Join(r.dir, "svc", "inc")); err != nil {
		t.Skipf("this user may not make symlinks: %v", err)
	}
	r.commit()
	inputs := func(cgo bool) git.Paths {
		t.Helper()
		tree := r.treeOf("svc")
		tree.Mains = []Main{{Package: "example.com/svc", Cgo: cgo}}
		if !cgo {
			r.write("svc/native/pure.go", "package native\n")
		}
		s, err := List(t.Context(), tree, linux)
		if err != nil {
			t.Fatal(err)
		}
		in, err := s.Inputs(t.Context(), tree.Mains[0])
		if err != nil || in.Outside != "" {
			t.Fatalf("%q, %v", in.Outside, err)
		}
		paths, outside, err := CInputs(t.Context(), tree, []Inputs{in, in})
		if err != nil || outside != "" {
			t.Fatalf("%q, %v", outside, err)
		}
		paths.Add(in.Paths)
		return paths
	}
	ofC := []string{"svc/deep/er/z.h", "svc/deep/z_test.go", "svc/new.h", "above.h", "chain.h", "include/i.h", "include/new.h", "shared/s.h", "shared/new.h", "svc/inc"}
	paths := inputs(true)
	for _, name := range slices.Concat(ofC, []string{"svc/native/n.go", "svc/go.mod", "other/go.mod"}) {
		if !paths.Match(name) {
			t.Errorf("%s is no input", name)
		}
	}
	for _, name := range []string{"README.md", "other/o.go", "main.go", "svc.h"} {
		if paths.Match(name) {
			t.Errorf("%s is an input", name)
		}
	}
	// Git finds the last commit of each.
	repo, err := git.Open(r.dir, r.env)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "shared/s.h", "svc/deep/er/z.h", "other/go.mod", "above.h"} {
		r.write(name, r.read(name)+"\n")
		r.git("commit", "-q", "-a", "-m", name)
		newest, _, err := repo.Newest(t.Context(), paths)
		if head := r.git("rev-parse", "HEAD"); err != nil || (newest == head) == (name == "README.md") {
			t.Errorf("after a change of %s the newest is %s, %v", name, newest, err)
		}
	}
	// Without cgo, C includes nothing.
	paths = inputs(false)
	for _, name := range ofC {
		if paths.Match(name) {
			t.Errorf("without cgo, %s is an input", name)
		}
	}
}

// A header outside of the repository has no age.
func TestCInputsOutside(t *testing.T) {
	r := newRepo(t, "hello").commit()
	r.write("../y.h", "")
	r.write("n.c", "#include \"../y.h\"\n")
	want := filepath.Join(filepath.Dir(r.dir), "y.h")
	if _, outside, err := CInputs(t.Context(), r.tree(), []Inputs{{Trees: []string{r.dir}}}); outside != want || err != nil {
		t.Errorf("outside is %q, %v; want %s", outside, err, want)
	}
}

// A package that is reached through a symlink is an input by its place in the commit.
func TestInputsThroughASymlink(t *testing.T) {
	r := newRepo(t, "hello")
	r.write("go.mod", "module example.com/hello\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ./link\n")
	r.write("main.go", "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.F()) }\n")
	r.write("libs/one/go.mod", "module example.com/lib\n\ngo 1.26\n")
	r.write("libs/one/l.go", "package lib\n\nfunc F() int { return 1 }\n")
	for name, to := range map[string]string{"link": "libs/again", "libs/again": "one"} {
		if err := os.Symlink(to, filepath.Join(r.dir, name)); err != nil {
			t.Skipf("this user may not make symlinks: %v", err)
		}
	}
	r.commit()
	s, err := List(t.Context(), r.tree(), linux)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Inputs(t.Context(), Main{Package: "example.com/hello"})
	if err != nil || in.Outside != "" {
		t.Fatalf("%q, %v", in.Outside, err)
	}
	for name, is := range map[string]bool{
		"link": true, "libs/again": true, "link/l.go": true, "libs/one/l.go": true, "libs/one/new.go": true, "libs/one/go.mod": true,
		"libs/one/README": false, "libs/one/sub/x.go": false,
	} {
		if in.Paths.Match(name) != is {
			t.Errorf("whether %s is an input is %t", name, !is)
		}
	}
}

// TestNames has paths of a repository, with symlinks on the way.
func TestNames(t *testing.T) {
	r := newRepo(t, "hello")
	r.write("a/b/c", "")
	for name, to := range map[string]string{"top": ".", "out": "..", "abs": filepath.Join(r.dir, "a"), "a/up": "../a/b", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(r.dir, name)); err != nil {
			t.Skipf("this user may not make symlinks: %v", err)
		}
	}
	for name, want := range map[string][2][]string{
		".": {{"."}}, "a/b/c": {{"a/b/c"}}, "a/none/d": {{"a/none/d"}}, "../x": {}, "out": {}, "out/repo/a": {}, "loop": {},
		"top/a": {{"top/a", "a"}, {"top"}}, "abs/b": {{"abs/b", "a/b"}, {"abs"}}, "top/abs/up/c": {{"top/abs/up/c", "a/b/c"}, {"top", "abs", "a/up"}},
	} {
		names, links := r.tree().names(filepath.Join(r.dir, name))
		if !slices.Equal(names, want[0]) || want[0] != nil && !slices.Equal(links, want[1]) {
			t.Errorf("%s: %q by %q, want %q by %q", name, names, links, want[0], want[1])
		}
	}
}

// TestAssemblyOfTwoLists wants what a package includes with cgo and what it includes without.
func TestAssemblyOfTwoLists(t *testing.T) {
	r := newRepo(t, "hello")
	r.write("with.s", "#include \"with.inc\"\n")
	r.write("without.s", "#include \"without.inc\"\n")
	s := &Sources{tree: r.tree(), lists: map[Main]packages{}}
	for cgo, file := range map[bool]string{false: "without.s", true: "with.s"} {
		s.lists[Main{Cgo: cgo}] = packages{"example.com/p": {ImportPath: "example.com/p", Dir: r.dir, SFiles: []string{file}}}
	}
	c, err := s.Compiled(t.Context())
	want := []string{filepath.Join(r.dir, "without.inc"), filepath.Join(r.dir, "with.inc")}
	if got := c.Assembly["example.com/p"]; err != nil || !slices.Equal(got, want) {
		t.Errorf("included are %q, %v; want %q", got, err, want)
	}
}
