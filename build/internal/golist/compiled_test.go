package golist

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestCompiledDiffers has what is compiled and is in no commit, and what is in the commit
// and is not compiled.
func TestCompiledDiffers(t *testing.T) {
	require := "module example.com/hello\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => "
	uses := "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.F()) }\n"
	library := func(r *repo, dir string) {
		r.write(dir+"/go.mod", "module example.com/lib\n\ngo 1.26\n")
		r.write(dir+"/l.go", "package lib\n\nfunc F() int { return 1 }\n")
	}
	for _, test := range []struct {
		name    string
		prepare func(*repo)
		// modcache is relative to the repository.
		modcache string
		want     []string
	}{
		{name: "nothing", prepare: func(*repo) {}},
		{name: "an ignored package that a hidden change imports", prepare: func(r *repo) {
			r.write(".gitignore", "gen/\n")
			r.git("add", "-A")
			r.git("commit", "-q", "-m", "second")
			r.git("update-index", "--skip-worktree", "main.go")
			r.write("gen/gen.go", "package gen\n")
			r.write("main.go", "package main\n\nimport _ \"example.com/hello/gen\"\n\nfunc main() {}\n")
		}, want: []string{"gen/gen.go is in no commit", "main.go differs from the commit"}},
		{name: "a folder outside", prepare: func(r *repo) {
			library(r, "../lib")
			r.write("go.mod", require+"../lib\n")
			r.write("main.go", uses)
			r.git("commit", "-q", "-a", "-m", "second")
		}, want: []string{"../lib/go.mod is outside of the repository", "../lib/l.go is outside of the repository"}},
		{name: "a folder that somebody put into the module cache", prepare: func(r *repo) {
			library(r, "../modcache/lib")
			r.write("go.mod", require+"../modcache/lib\n")
			r.write("main.go", uses)
			r.git("commit", "-q", "-a", "-m", "second")
		}, modcache: "../modcache", want: []string{"../modcache/lib/go.mod is outside of the repository", "../modcache/lib/l.go is outside of the repository"}},
		{name: "a workspace above", prepare: func(r *repo) {
			r.write("../go.work", "go 1.26\n\nuse ./repo\n")
		}, want: []string{"../go.work is outside of the repository"}},
		{name: "an ignored module that a workspace puts in place of one that is not linked", prepare: func(r *repo) {
			library(r, "ignored/lib")
			r.write(".gitignore", "ignored/\n")
			r.write("go.mod", "module example.com/hello\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n")
			r.write("go.work", "go 1.26\n\nuse .\n\nreplace example.com/lib v0.0.0 => ./ignored/lib\n")
			r.git("add", "-A")
			r.git("commit", "-q", "-m", "second")
		}, want: []string{"ignored/lib/go.mod is in no commit"}},
		{name: "an ignored module in place of one that is not linked", prepare: func(r *repo) {
			library(r, "ignored/lib")
			r.write(".gitignore", "ignored/\n")
			r.write("go.mod", "module example.com/hello\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib v0.0.0 => ./ignored/lib\n")
			r.git("add", "-A")
			r.git("commit", "-q", "-m", "second")
		}, want: []string{"ignored/lib/go.mod is in no commit"}},
		{name: "a tracked symlink to a tracked folder", prepare: func(r *repo) {
			library(r, "libs/one")
			if err := os.Symlink("libs/one", filepath.Join(r.dir, "lib")); err != nil {
				r.t.Fatal(err)
			}
			r.write("go.mod", require+"./lib\n")
			r.write("main.go", uses)
			r.git("add", "-A")
			r.git("commit", "-q", "-m", "second")
		}},
		{name: "a file that is gone", prepare: func(r *repo) {
			r.write("more.go", "package main\n")
			r.write("more_windows.go", "package main\n")
			r.write("more_test.go", "package main\n")
			r.write("other/x.go", "package other\n")
			r.git("add", "-A")
			r.git("commit", "-q", "-m", "second")
			for _, name := range []string{"more.go", "more_windows.go", "more_test.go", "other"} {
				if err := os.RemoveAll(filepath.Join(r.dir, name)); err != nil {
					r.t.Fatal(err)
				}
			}
		}, want: []string{"more.go is missing here"}},
		{name: "an embedded file that is gone", prepare: func(r *repo) {
			r.write("main.go", "package main\n\nimport \"embed\"\n\n//go:embed static *.txt\nvar files embed.FS\n\nfunc main() { println(files) }\n")
			for _, name := range []string{"static/a", "static/deep/b", "static/.hidden", "c.txt", "d.txt", "e.md"} {
				r.write(name, "x")
			}
			r.git("add", "-A")
			r.git("commit", "-q", "-m", "second")
			for _, name := range []string{"static/deep", "static/.hidden", "d.txt", "e.md"} {
				if err := os.RemoveAll(filepath.Join(r.dir, name)); err != nil {
					r.t.Fatal(err)
				}
			}
		}, want: []string{"d.txt is missing here", "static/deep/b is missing here"}},
		{name: "what assembly includes", prepare: func(r *repo) {
			r.write("f.go", "package main\n\nfunc f() int64\n")
			r.write("f_amd64.s", "#include \"textflag.h\"\n# include /* as it is */ \"a.inc\"\n#include \"../y.inc\"\n")
			r.write("f_arm64.s", "#include \"textflag.h\"\n#include \"a.inc\"\n#include \"../y.inc\"\n")
			r.write("a.inc", "#include \"more/tracked.inc\"\n#include \"x.inc\"\n")
			r.write("more/tracked.inc", "")
			r.write(".gitignore", "x.inc\n")
			r.git("add", "-A")
			r.git("commit", "-q", "-m", "second")
			r.write("x.inc", "")
			r.write("../y.inc", "")
		}, want: []string{"../y.inc is outside of the repository", "x.inc is in no commit"}},
		{name: "a sparse checkout", prepare: func(r *repo) {
			r.write("other/x.go", "package other\n")
			r.git("add", "-A")
			r.git("commit", "-q", "-m", "second")
			r.git("sparse-checkout", "set", "none")
		}},
		{name: "a profile, sums, vendored modules", prepare: func(r *repo) {
			r.write("default.pgo", "")
			r.write("go.sum", "")
		}, want: []string{"default.pgo is in no commit", "go.sum is in no commit"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t, "hello").commit()
			test.prepare(r)
			var env []string
			if test.modcache != "" {
				env = append(env, "GOMODCACHE="+filepath.Join(r.dir, test.modcache))
			}
			if got := r.differences(env...); !slices.Equal(got, test.want) {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

// TestBelow wants what C may include by way of a symlink to another folder of the repository,
// and no more.
func TestBelow(t *testing.T) {
	r := newRepo(t, "hello")
	r.write("native/a.h", "")
	r.write("shared/deep/b.h", "")
	r.write("../outside/c.h", "")
	for name, to := range map[string]string{"native/inc": "../shared", "native/again": "../shared", "shared/back": "../native", "native/out": "../../outside", "native/top": "..", "native/loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(r.dir, name)); err != nil {
			t.Skipf("this user may not make symlinks: %v", err)
		}
	}
	r.commit()
	files, err := Below(t.Context(), r.tree(), []Compiled{{Trees: []string{filepath.Join(r.dir, "native")}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		physical, err := filepath.EvalSymlinks(file)
		if info, statErr := os.Stat(file); err != nil || statErr != nil || info.IsDir() {
			continue
		}
		rel, err := filepath.Rel(r.dir, physical)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.ToSlash(rel))
	}
	slices.Sort(names)
	if names = slices.Compact(names); !slices.Equal(names, []string{"native/a.h", "shared/deep/b.h"}) {
		t.Errorf("below are %q", names)
	}
}

// TestNamesThatAreNotUTF8 wants no file to be taken for another.
func TestNamesThatAreNotUTF8(t *testing.T) {
	for _, name := range []string{"x\xe9.go", "x\ufffd.go"} {
		r := newRepo(t, "hello").commit()
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte("package main\n"), 0o644); err != nil {
			t.Skipf("the file system takes no such name: %v", err)
		}
		s, err := List(t.Context(), r.tree(), linux)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Compiled(t.Context()); err == nil || !strings.Contains(err.Error(), "not UTF-8; rename it") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestVendorIsCompared wants what vendor holds, and what says so.
func TestVendorIsCompared(t *testing.T) {
	r := newRepo(t, "vendored").commit()
	r.git("update-index", "--assume-unchanged", "vendor/modules.txt")
	r.write("vendor/modules.txt", strings.ReplaceAll(r.read("vendor/modules.txt"), "\n", "\n\n"))
	r.write("vendor/example.com/greet/more.go", "package greet\n")
	want := []string{"vendor/example.com/greet/more.go is in no commit", "vendor/modules.txt differs from the commit"}
	if got := r.differences("GOPROXY=off"); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// TestSeen wants a list to hold as long as the go command lists the same, whatever git says.
func TestSeen(t *testing.T) {
	testtool.NotShort(t)
	r := newRepo(t, "hello").commit()
	r.write("sub/sub.go", "package sub\n")
	r.write("main.go", "package main\n\nimport _ \"example.com/hello/sub\"\n\nfunc main() {}\n")
	var c Compiled
	var s Seen
	see := func() {
		t.Helper()
		var err error
		c = r.compiled()
		if s, err = c.See(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	see()
	for _, test := range []struct {
		name   string
		change func()
		same   bool
	}{
		{"nothing", func() {}, true},
		{"another function body", func() {
			r.write("main.go", "package main\n\nimport _ \"example.com/hello/sub\"\n\nfunc main() { println() }\n")
		}, true},
		{"a test", func() { r.write("main_test.go", "package main\n") }, true},
		{"data", func() { r.write("sub/data", "a") }, true},
		{"a commit", func() { r.git("add", "-A"); r.git("commit", "-q", "-m", "second") }, true},
		{"an import that git does not see", func() {
			r.git("update-index", "--assume-unchanged", "main.go")
			r.write("main.go", "package main\n\nimport (\n\t_ \"example.com/hello/sub\"\n\t_ \"os\"\n)\n\nfunc main() {}\n")
		}, false},
		{"a build constraint", func() { r.write("sub/sub.go", "//go:build linux\n\npackage sub\n") }, false},
		{"a new file", func() { r.write("sub/new.go", "package sub\n") }, false},
		{"a constraint in assembly", func() { r.write("sub/x.s", "//go:build ignore\n") }, false},
		{"other assembly", func() { r.write("sub/x.s", "//go:build linux\n") }, false},
		{"go.mod", func() { r.write("go.mod", r.read("go.mod")+"\n// x\n") }, false},
		{"go.sum", func() { r.write("go.sum", "") }, false},
		{"an embedded file", func() {
			r.write("sub/sub.go", "package sub\n\nimport _ \"embed\"\n\n//go:embed data\nvar data string\n")
		}, false},
		{"content of an embedded file", func() { r.write("sub/data", "bb") }, true},
		{"another pattern", func() {
			r.write("sub/sub.go", "package sub\n\nimport \"embed\"\n\n//go:embed data files/*\nvar data embed.FS\n")
			r.write("sub/files/a", "")
		}, false},
		{"a file that the pattern takes", func() { r.write("sub/files/b", "") }, false},
		{"a file below a folder that the pattern takes", func() { r.write("sub/files/deep/c", "") }, false},
		{"a file that is gone", func() {
			if err := os.Remove(filepath.Join(r.dir, "sub", "files", "b")); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		test.change()
		same, err := s.Same(t.Context(), c)
		if err != nil || same != test.same {
			t.Errorf("%s: the list holds: %t, %v; want %t", test.name, same, err, test.same)
		}
		if !same {
			see()
		}
	}
}

// What C or assembly may include, and what the list depends on, is read until the context ends.
func TestReadingEndsWithTheContext(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large.h")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 1<<36); err != nil { // sparse
		t.Fatal(err)
	}
	folder := Folder{filepath.Dir(filepath.Dir(large)), []string{"*"}}
	entries, err := os.ReadDir(folder.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func(context.Context) error{
		"the state of C": func(ctx context.Context) error { return hashInto(ctx, io.Discard, large) },
		"C": func(ctx context.Context) error {
			_, err := namesIn(ctx, large, true)
			return err
		},
		"assembly": func(ctx context.Context) error {
			_, err := includes(ctx, large)
			return err
		},
		"a source": func(ctx context.Context) error {
			_, err := hashAll(ctx, []string{large}, false)
			return err
		},
		"embedded names": func(ctx context.Context) error {
			<-ctx.Done()
			_, err := embeddable(ctx, io.Discard, folder, entries[0])
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			why := errors.New("why")
			ctx, stop := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, why)
			defer stop()
			began := time.Now()
			err := read(ctx)
			if took := time.Since(began); !errors.Is(err, why) || took > 5*time.Second {
				t.Errorf("after %s: %v", took, err)
			}
		})
	}
}
