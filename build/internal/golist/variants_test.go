package golist

import (
	"slices"
	"testing"
)

// A profile of one main package lists no package twice, and images with other tags, of one main
// package, are listed separately. What is left out without cgo is named by the package's own path.
func TestMains(t *testing.T) {
	r := newRepo(t, "hello")
	r.write("cmd/a/main.go", "package main\n\nimport _ \"example.com/hello/lib\"\n\nfunc main() {}\n")
	r.write("cmd/a/default.pgo", "")
	r.write("cmd/a/extra.go", "//go:build extra\n\npackage main\n\nimport _ \"example.com/hello/extra\"\n")
	r.write("cmd/b/main.go", "package main\n\nimport _ \"example.com/hello/lib\"\n\nfunc main() {}\n")
	r.write("lib/c.go", "package lib\n\nimport \"C\"\n")
	r.write("lib/go.go", "package lib\n")
	r.write("lib/c_windows.go", "package lib\n\nimport \"C\"\n")
	r.write("extra/e.go", "package extra\n")
	tree := r.tree()
	a, extra, b := Main{Package: "example.com/hello/cmd/a"}, Main{Package: "example.com/hello/cmd/a", Tags: "extra"}, Main{Package: "example.com/hello/cmd/b"}
	tree.Mains = []Main{a, extra, b}
	s, err := List(t.Context(), tree, linux)
	if err != nil {
		t.Fatal(err)
	}
	for main, want := range map[Main][]string{a: {"cmd/a", "lib"}, extra: {"cmd/a", "extra", "lib"}, b: {"cmd/b", "lib"}} {
		if m := s.Modules(main); len(m) != 1 || !slices.Equal(m[0].Packages, want) {
			t.Errorf("%s links %+v, want %q", main.Key(), m, want)
		}
		if got := s.LeftOut(main, linux); !slices.Equal(got, []string{"example.com/hello/lib"}) {
			t.Errorf("%s leaves out %q", main.Key(), got)
		}
	}
	c, err := s.Compiled(t.Context())
	if err != nil || len(c.Profiles) != 2 || len(c.Folders) != 4 {
		t.Errorf("the profiles can be %q, the folders are %+v, %v", c.Profiles, c.Folders, err)
	}
	if got := s.LeftOut(Main{Package: b.Package, Cgo: true}, linux); got != nil {
		t.Errorf("with cgo, it leaves out %q", got)
	}
	union := Union(s.Modules(extra), s.Modules(b))
	if len(union) != 1 || !slices.Equal(union[0].Packages, []string{"cmd/a", "cmd/b", "extra", "lib"}) {
		t.Errorf("together they link %+v", union)
	}
}
