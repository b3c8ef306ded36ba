package build_test

import (
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// What assembly includes is what is assembled. The go command's cache knows only of the
// headers in the package's own folder, and would take what was assembled with another file:
// by another commit, or before a change was undone, here or by a go build.
func TestAssemblyIncludesAreTheCommits(t *testing.T) {
	testtool.OnRequest(t, "it compiles several times")
	r := newSourceRepo(t, map[string]string{
		"main.go":           "package main\n\nimport \"example.com/svc/asm\"\n\nfunc main() { println(asm.Value()) }\n",
		"asm/asm.go":        "package asm\n\nfunc Value() int64\n",
		"asm/asm_amd64.s":   "#include \"textflag.h\"\n#include \"own.h\"\n#include \"inc/value.inc\"\n\nTEXT ·Value(SB), NOSPLIT, $0-8\n\tMOVQ $(OWN+VALUE), AX\n\tMOVQ AX, ret+0(FP)\n\tRET\n",
		"asm/own.h":         "#define OWN 10\n",
		"asm/inc/value.inc": "#include \"inc/deep.inc\"\n",
		"asm/inc/deep.inc":  "#define VALUE 1\n",
		"asm/inc/other.inc": "",
	})
	check := func(what, want string, dirty bool) {
		t.Helper()
		if p, printed := r.image(); printed != want || p.Dirty != dirty || dirty && p.DirtyFile != "asm/inc/deep.inc" {
			t.Errorf("%s: it prints %q, want %q; dirty %t (%s)", what, printed, want, p.Dirty, p.DirtyFile)
		}
	}
	check("the first commit", "11", false)
	r.write("asm/inc/deep.inc", "#define VALUE 2\n")
	check("changed", "12", true)
	r.commit("second")
	check("another commit", "12", false)
	r.write("asm/inc/deep.inc", "#define VALUE 3\n")
	r.run("go", "build", "-trimpath", "-ldflags=-s -w", "-o", t.TempDir(), ".")
	r.write("asm/inc/deep.inc", "#define VALUE 2\n")
	check("undone after a go build", "12", false)

	// The digest depends on no cache, and on no file that is not included.
	first, err := build.Image(t.Context(), r.options().image())
	ok(t, err)
	second, err := build.Image(t.Context(), r.options(func(o *settings) { o.Cache, o.Env = t.TempDir(), append(o.Env, "GOCACHE="+t.TempDir()) }).image())
	ok(t, err)
	if first.Images[0].Digest != second.Images[0].Digest {
		t.Errorf("with an empty cache: %s, not %s", second.Images[0].Digest, first.Images[0].Digest)
	}
}
