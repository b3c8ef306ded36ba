package resolve

import (
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// TestSourcesWithCgo lists two programs of one module: with cgo, C files are sources, and
// without it they are not.
func TestSourcesWithCgo(t *testing.T) {
	testtool.Program(t, "gcc")
	r := newRepo(t, "hello")
	const base = "ghcr.io/acme/base:1"
	native := func(main string) string {
		return "package main\n\nimport \"example.com/hello/native\"\n\nfunc main() { native.F() }\n" + main
	}
	r.write("cmd/with/main.go", native(""))
	r.write("cmd/without/main.go", native(""))
	r.write("native/cgo.go", "package native\n\n// void f(void);\nimport \"C\"\n\nfunc F() { C.f() }\n")
	r.write("native/pure.go", "//go:build !cgo\n\npackage native\n\nfunc F() {}\n")
	r.write("native/f.c", "#include \"sub/f.inc\"\n")
	r.write("native/sub/f.inc", "void f(void) {}\n")
	r.write(".gitignore", "f.c\n")
	hash := "sha256:" + strings.Repeat("ab", 32)
	r.write("thimble.lock.json", `{"version": 1, "images": [{"reference": "`+base+`", "mediaType": "x", "digest": "`+hash+`", "platforms": [
		{"platform": "linux/`+runtime.GOARCH+`", "mediaType": "x", "size": 1, "digest": "`+hash+`"}]}]}`)
	r.commit()
	r.git("rm", "-q", "--cached", "native/f.c")
	r.git("commit", "-q", "-m", "second")
	got := r.resolve(plan.Config{Images: []plan.ImageConfig{{Package: "./cmd/with", Base: base, Cgo: plan.CgoOn}, {Package: "./cmd/without"}}})
	if c := got.Plan.Toolchain.C; len(c) != 1 || c[0].Platform != got.Plan.Platforms[0] {
		t.Errorf("C compilers: %+v", c)
	}
	if img := got.Plan.Images; !img[0].Cgo || img[1].Cgo {
		t.Errorf("images: %+v", img)
	}
	s, err := golist.List(t.Context(), got.Tree(), got.Plan.Platforms[0])
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Compiled(t.Context())
	if err != nil || !slices.Contains(c.Files, filepath.Join(r.dir, "native", "f.c")) || !slices.Equal(c.Trees, []string{r.dir}) {
		t.Errorf("compiled: %+v, %v", c, err)
	}
	for name, c := range map[string]bool{"with": true, "without": false} {
		main := golist.Main{Package: "example.com/hello/cmd/" + name, Cgo: c}
		if m := s.Modules(main); len(m) != 1 || !slices.Equal(m[0].Packages, []string{"cmd/" + name, "native"}) {
			t.Errorf("%s links %+v", name, m)
		}
		in, err := s.Inputs(t.Context(), main)
		if err != nil || slices.Contains(in.Trees, r.dir) != c {
			t.Errorf("the inputs of %s: %q, %v", name, in.Trees, err)
		}
	}

	// Only the programs without cgo: no compiler is looked for.
	pure := r.resolve(plan.Config{Images: []plan.ImageConfig{{Package: "./cmd/without"}}}, "CC=false", "CGO_CFLAGS=-x")
	if pure.Plan.Toolchain.C != nil {
		t.Errorf("C compilers: %+v", pure.Plan.Toolchain.C)
	}
}
