package build_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// With cgo, C includes and links what the go command lists nowhere: every file below the
// module that no commit has makes the tree dirty, ignored or not. Without cgo, it does not.
func TestCgoSourceIsTheCommits(t *testing.T) {
	testtool.OnRequest(t, "a C compiler")
	_, err := exec.LookPath("gcc")
	testtool.Require(t, err == nil && runtime.GOARCH == "amd64", "C compiler for linux/amd64")
	const lib = "lib/x86_64-linux-gnu/"
	libraries := map[string][]byte{
		lib + "ld-linux-x86-64.so.2": must(os.ReadFile(must(filepath.EvalSymlinks("/lib64/ld-linux-x86-64.so.2")))),
		lib + "libc.so.6":            must(os.ReadFile(must(filepath.EvalSymlinks("/" + lib + "libc.so.6")))),
	}
	base := filepath.Join(t.TempDir(), "base")
	ok(t, must(layout.Write(base, empty.Index)).AppendImage(imageOf(t, "amd64", libraries)))
	repo := newSourceRepo(t, map[string]string{
		".gitignore":       "/dist/\n/ignored.h\n*.a\n/local/\n",
		"main.go":          "package main\n\nimport \"example.com/svc/native\"\n\nfunc main() { println(native.F()) }\n",
		"native/pure.go":   "//go:build !cgo\n\npackage native\n\nfunc F() int { return 0 }\n",
		"native/native.go": "package native\n\n// #cgo LDFLAGS: ${SRCDIR}/value.a\n// #include \"../value.h\"\n// int value(void);\n// static int f(void) { return VALUE + value(); }\nimport \"C\"\n\nfunc F() int { return int(C.f()) }\n",
		"value.h":          "#define VALUE 1\n",
		"value.txt":        "int value(void) { return N; }\n",
	})
	archive := func(n string) {
		object := filepath.Join(t.TempDir(), "value.o")
		repo.run("gcc", "-c", "-x", "c", "-DN="+n, "-o", object, "value.txt")
		ok(t, os.RemoveAll(filepath.Join(repo.dir, "native", "value.a")))
		repo.run("ar", "rcD", filepath.Join("native", "value.a"), object)
	}
	archive("1")
	cgo := func(o *settings) {
		o.Config.Defaults.Base, o.Config.Defaults.Cgo, o.Platforms = "oci:"+base, "on", []string{"linux/amd64"}
	}
	must(build.Lock(t.Context(), repo.options(cgo).Options))
	repo.run("git", "add", "-f", "native/value.a")
	repo.commit("with the archive")
	if p, _ := repo.image(cgo); p.Dirty {
		t.Fatalf("as committed: dirty (%s: %s)", p.DirtyFile, p.DirtyCause)
	}
	commit := func(args ...string) {
		repo.run(append([]string{"git"}, args...)...)
		repo.run("git", "commit", "-q", "-m", "another")
	}
	for name, test := range map[string]struct {
		change func()
		file   string
	}{
		"an ignored header":               {func() { repo.write("ignored.h", "") }, "ignored.h"},
		"an untracked header":             {func() { repo.write("native/value.h", "") }, "native/value.h"},
		"a file of whatever name":         {func() { repo.write("native/x.inc", "") }, "native/x.inc"},
		"an ignored folder":               {func() { repo.write("local/deep/x", "") }, "local/deep/x"},
		"a link to an ignored folder":     {func() { ok(t, os.Symlink(t.TempDir(), filepath.Join(repo.dir, "local"))) }, "local"},
		"an included header, ignored":     {func() { repo.write(".git/info/exclude", "*.h\n"); commit("rm", "-q", "--cached", "value.h") }, "value.h"},
		"an included header, untracked":   {func() { commit("rm", "-q", "--cached", "value.h") }, "value.h"},
		"a linked archive, ignored":       {func() { commit("rm", "-q", "--cached", "native/value.a") }, "native/value.a"},
		"a linked archive that is unseen": {func() { repo.run("git", "update-index", "--assume-unchanged", "native/value.a"); archive("7") }, "native/value.a"},
		"an included header that is unseen": {func() {
			repo.run("git", "update-index", "--skip-worktree", "value.h")
			repo.write("value.h", "#define VALUE 5\n")
		}, "value.h"},
	} {
		t.Run(name, func(t *testing.T) {
			head := strings.TrimSpace(repo.run("git", "rev-parse", "HEAD"))
			defer func() {
				ok(t, errors.Join(os.RemoveAll(filepath.Join(repo.dir, ".git", "index")), os.RemoveAll(filepath.Join(repo.dir, ".git", "info", "exclude"))))
				repo.run("git", "reset", "-q", "--hard", head)
				repo.run("git", "clean", "-q", "-fdx")
			}()
			test.change()
			p, err := build.Plan(t.Context(), repo.options(cgo).Options)
			ok(t, err)
			if !p.Dirty || p.DirtyFile != test.file || p.DirtyCause == "" && !strings.HasSuffix(name, "unseen") {
				t.Errorf("dirty %t (%s: %s), want %s", p.Dirty, p.DirtyFile, p.DirtyCause, test.file)
			}
		})
	}
	repo.write("local/x", "")
	if p, err := build.Plan(t.Context(), repo.options().Options); err != nil || p.Dirty {
		t.Errorf("without cgo: %v, %+v", err, p)
	}
	ok(t, os.RemoveAll(filepath.Join(repo.dir, "local")))

	// What is compared is what is compiled, although the go command's cache knows nothing of
	// headers outside of a package's folder, and the digest does not depend on that cache.
	archive("7")
	repo.write("value.h", "#define VALUE 5\n")
	repo.run("git", "add", "-f", "native/value.a")
	repo.commit("other values")
	first, err := build.Image(t.Context(), repo.options(cgo).image())
	ok(t, err)
	for _, again := range []string{"VALUE 6", "VALUE 5"} {
		repo.write("value.h", "#define "+again+"\n")
		p, printed := repo.image(cgo)
		if want := map[string]string{"VALUE 5": "12", "VALUE 6": "13"}[again]; strings.TrimSpace(printed) != want || p.Dirty != (again == "VALUE 6") {
			t.Errorf("%s: dirty %t, it prints %q, want %q", again, p.Dirty, printed, want)
		}
	}
	second, err := build.Image(t.Context(), repo.options(cgo, func(o *settings) { o.Cache, o.Env = t.TempDir(), append(o.Env, "GOCACHE="+t.TempDir()) }).image())
	ok(t, err)
	if first.Images[0].Digest != second.Images[0].Digest {
		t.Errorf("with an empty cache: %s, not %s", second.Images[0].Digest, first.Images[0].Digest)
	}
}
