package rerun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// watched is a module in a folder, and its sources as a build has listed them.
func watched(t testing.TB, config plan.Config, compiled ...string) (string, *sources) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod": "module m\n", "main.go": "package main\n", "main_test.go": "package main\n",
		"README.md": "read me\n", "static/index.html": "<p>\n", "asset.txt": "asset\n",
		"internal/lib/lib.go": "package lib\n", "testdata/x.go": "package x\n",
		"other/go.mod": "module other\n", "other/other.go": "package other\n",
		"dist/bin/m": "binary\n", ".git/index": "index\n",
		"vendor/v/v.go": "package v\n", "generated.go": "package main\n",
	}
	for name, content := range files {
		write(t, filepath.Join(dir, name), content)
	}
	inRepository := strings.Trim(filepath.ToSlash(dir), "/") // its root is that of the file system
	generated := []plan.GeneratedFile{{Name: inRepository + "/generated.go"}}
	b := Build{Manifest: report.Manifest{Plan: &plan.Plan{Workdir: inRepository, Generated: generated}}}
	b.Files.Modules, b.Files.Copied = []string{dir}, []string{filepath.Join(dir, "asset.txt")}
	for _, name := range append(compiled, "go.mod", "main.go", "internal/lib/lib.go", "static/index.html",
		"generated.go", "vendor/v/v.go", "default.pgo") {
		b.Files.Compiled = append(b.Files.Compiled, filepath.Join(dir, name))
	}
	old := time.Now().Add(-time.Hour)
	err := filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(name, old, old))
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &session.Session{Workdir: dir, Dist: filepath.Join(dir, "dist"), Config: config}
	return dir, watch(s, b, time.Now())
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	edit := func(name, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { write(t, filepath.Join(dir, name), content) }
	}
	for _, test := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   string // the changed files
	}{
		{"nothing", func(t *testing.T, dir string) {}, ""},
		{"a compiled file", edit("main.go", "package main // \n"), "main.go"},
		{"two", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "main.go"), "package main // \n")
			write(t, filepath.Join(dir, "asset.txt"), "other\n")
		}, "asset.txt main.go"},
		{"the same content", edit("main.go", "package main\n"), ""},
		{"the same size and time", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "asset.txt"), "ASSET\n")
		}, "asset.txt"},
		{"replaced by a rename", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, ".main.go.tmp"), "package main // renamed\n")
			check(t, os.Rename(filepath.Join(dir, ".main.go.tmp"), filepath.Join(dir, "main.go")))
		}, "main.go"},
		{"another mode", func(t *testing.T, dir string) {
			check(t, os.Chmod(filepath.Join(dir, "asset.txt"), 0o755))
		}, "asset.txt"},
		{"a file that is gone", func(t *testing.T, dir string) {
			check(t, os.Remove(filepath.Join(dir, "main.go")))
		}, "main.go"},
		{"a file that was missing", edit("default.pgo", "x"), "default.pgo"},
		{"a new source file", edit("internal/lib/b.go", "package lib\n"), "internal/lib/b.go"},
		{"in a new package", edit("internal/x/y/y.go", "package y\n"), "internal/x/y/y.go"},
		{"a new file to embed", edit("static/new.css", "p {}\n"), "static/new.css"},
		{"a file that nothing reads", edit("README.md", "do read me\n"), ""},
		{"what Before reads", edit("README.md", "do read me\n"), "README.md"},
		{"a vendored file", edit("vendor/v/v.go", "package v // \n"), "vendor/v/v.go"},
		{"tests, output, another module, git, editors, a generated file", func(t *testing.T, dir string) {
			for _, name := range []string{
				"main_test.go", "new_test.go", "testdata/y.go", "dist/bin/m", "dist/new", "other/other.go",
				"other/new.go", ".git/new", ".main.go.swp", "main.go~", "#main.go#",
				"node_modules/x/x.js", "generated.go",
			} {
				write(t, filepath.Join(dir, name), "package main // "+name+"\n")
			}
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var config plan.Config
			if test.name == "what Before reads" {
				config.Before = [][]string{{"true"}}
			}
			dir, w := watched(t, config)
			test.change(t, dir)
			if test.name == "the same size and time" {
				info, err := os.Stat(filepath.Join(dir, "main.go"))
				check(t, err)
				modified := info.ModTime().Add(time.Nanosecond)
				check(t, os.Chtimes(filepath.Join(dir, "asset.txt"), info.ModTime(), modified))
			}
			var got []string
			for _, name := range w.changed(w.look()) {
				rel, err := filepath.Rel(dir, name)
				check(t, err)
				got = append(got, filepath.ToSlash(rel))
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%q changed, want %q", got, test.want)
			}
		})
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWatchWaits wants one answer for saves that follow each other, and none for a file that is
// there only for a moment.
func TestWatchWaits(t *testing.T) {
	dir, w := watched(t, plan.Config{})
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		time.Sleep(50 * time.Millisecond)
		for i := range 5 {
			_ = os.WriteFile(filepath.Join(dir, "main.go"), fmt.Appendf(nil, "package main // %d\n", i), 0o644)
			_ = os.WriteFile(filepath.Join(dir, fmt.Sprintf("new%d.go", i)), []byte("package main\n"), 0o644)
		}
	}()
	changed, err := w.next(t.Context(), nil)
	<-saved
	if err != nil || len(changed) != 6 || changed[0] != filepath.Join(dir, "main.go") {
		t.Errorf("%q changed, %v", changed, err)
	}

	write(t, filepath.Join(dir, "4913"), "")
	check(t, os.Remove(filepath.Join(dir, "4913")))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if changed, err := w.next(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%q changed again, %v", changed, err)
	}
	ended := make(chan struct{})
	close(ended)
	if changed, err := w.next(t.Context(), ended); changed != nil || err != nil {
		t.Errorf("after the service has ended: %q, %v", changed, err)
	}
}

// TestWatchAdds has a file that was edited while a build ran that found it.
func TestWatchAdds(t *testing.T) {
	dir, w := watched(t, plan.Config{})
	began := time.Now().Add(-time.Minute)
	var next materials.Files
	for _, name := range []string{"main.go", "edited.txt", "old.txt"} {
		next.Compiled = append(next.Compiled, filepath.Join(dir, name))
	}
	write(t, filepath.Join(dir, "main.go"), "package main // built\n")
	if got := w.changed(w.look()); len(got) != 1 {
		t.Fatalf("%q changed", got)
	}
	w.built = w.look()
	write(t, filepath.Join(dir, "edited.txt"), "edited\n")
	write(t, filepath.Join(dir, "old.txt"), "old\n")
	old := began.Add(-time.Minute)
	check(t, os.Chtimes(filepath.Join(dir, "old.txt"), old, old))
	w.add(next, began)
	got := w.changed(w.look())
	unedited := slices.Contains(got, filepath.Join(dir, "old.txt"))
	if unedited || !slices.Contains(got, filepath.Join(dir, "edited.txt")) {
		t.Errorf("%q changed", got)
	}
}

// BenchmarkWatch looks at 3,000 files in 300 folders.
func BenchmarkWatch(b *testing.B) {
	var names []string
	for i := range 3000 {
		names = append(names, fmt.Sprintf("p%d/f%d.go", i/10, i))
	}
	dir, w := watched(b, plan.Config{}, names...)
	for _, name := range names {
		write(b, filepath.Join(dir, name), "package p\n")
	}
	w.built = w.look()
	time.Sleep(1100 * time.Millisecond) // the folders have not changed for a while
	b.ReportAllocs()
	for b.Loop() {
		if got := w.changed(w.look()); len(got) > 0 {
			b.Fatalf("%q changed", got)
		}
	}
}
