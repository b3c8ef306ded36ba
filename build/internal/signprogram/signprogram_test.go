package signprogram

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// The lines that name a package are counted, and all others are errors.
func TestCount(t *testing.T) {
	var said bytes.Buffer
	begun := 0
	c := &Count{first: func() { begun++ }}
	w := c.reading(&said)
	for _, part := range []string{"internal/", "abi\ngolang.org/x/sync/errgroup\n", "# example.com/a\n./a.go:3:1: syntax error\n", "pault.ag/go/debian/version\nrest"} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.String(); got != "3 packages" || begun != 1 {
		t.Errorf("counted are %s, begun %d times", got, begun)
	}
	if want := "# example.com/a\n./a.go:3:1: syntax error\n"; said.String() != want {
		t.Errorf("other lines are %q, want %q", said.String(), want)
	}
	c.all.Store(7)
	if got := c.String(); got != "3 of 7 packages" {
		t.Errorf("counted are %s", got)
	}
}

// A folder counts only if the running program was compiled from it: a magefiles folder where we
// happen to be may be a stranger's.
func TestFind(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "magefiles"), 0o755); err != nil {
		t.Fatal(err)
	}
	was := started
	started = dir
	defer func() { started = was }()
	for _, self := range []string{"/usr/bin/mage", filepath.Join(dir, "thimble-magefiles", "0011223344556677", "mage")} {
		if from, err := find(self); err == nil || !strings.Contains(err.Error(), "GOFLAGS=-tags=thimble_sign") {
			t.Errorf("%s was compiled from %+v, %v", self, from, err)
		}
	}
	self := filepath.Join(dir, "thimble-magefiles", launcherKey(filepath.Join(dir, "magefiles")), "mage")
	if from, err := find(self); err != nil || from.dir != filepath.Join(dir, "magefiles") || !from.launched {
		t.Errorf("%s was compiled from %+v, %v", self, from, err)
	}
}

// Only the other process of the same targets starts this program.
func TestReceive(t *testing.T) {
	for value, want := range map[string]string{"x,y": "not a descriptor", "1,2": "not a descriptor"} {
		t.Setenv(Variable, value)
		if _, _, err := Receive(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s=%s: %v, want %q", Variable, value, err, want)
		}
		if _, ok := os.LookupEnv(Variable); ok {
			t.Errorf("%s is still set", Variable)
		}
	}
	if _, _, err := Receive(); err == nil || !strings.Contains(err.Error(), "only for thimble's targets") {
		t.Errorf("without %s: %v", Variable, err)
	}
}

// A program whose magefiles are gone says which kit it was compiled with.
func TestModuleOf(t *testing.T) {
	const kit = "github.com/thimble-build/thimble"
	other := &debug.Module{Path: "example.com/a", Version: "v1.0.0"}
	folder := filepath.Join(t.TempDir(), "the kit")
	for _, test := range []struct {
		deps []*debug.Module
		want []string
		dir  string
		err  bool
	}{
		{
			deps: []*debug.Module{other, {Path: kit, Version: "v0.1.0", Sum: "h1:x"}},
			want: []string{"require " + kit + " v0.1.0\n"},
		},
		{
			deps: []*debug.Module{
				{Path: other.Path, Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/b", Version: "v1.2.3"}},
				{Path: kit, Version: "v0.0.0", Replace: &debug.Module{Path: folder, Version: "(devel)"}},
			},
			want: []string{
				"require " + kit + " v0.0.0\n", "replace example.com/a => example.com/b v1.2.3\n",
				"replace " + kit + " => \"" + filepath.ToSlash(folder) + "\"\n",
			},
			dir: folder,
		},
		{deps: []*debug.Module{{Path: kit, Version: "v0.0.0", Replace: &debug.Module{Path: "../kit"}}}, err: true},
		{deps: []*debug.Module{other}, err: true},
	} {
		m, err := moduleOf(&debug.BuildInfo{Deps: test.deps})
		if (err != nil) != test.err || m.dir != test.dir {
			t.Errorf("%v: got %+v, %v", test.deps, m, err)
		}
		for _, want := range test.want {
			if !strings.Contains(m.text, want) {
				t.Errorf("go.mod lacks %q:\n%s", want, m.text)
			}
		}
		if err == nil && strings.Count(m.text, "require ") != 1 {
			t.Errorf("go.mod requires more than the kit:\n%s", m.text)
		}
	}
}

// The error of the go command is that of a program that cannot be compiled, and the lock is free
// afterwards.
func TestCompileFails(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/m\n\ngo 1.26\n", "magefile.go": "package main\n\nimport _ \"example.com/absent\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := &compiler{magefiles: magefiles{dir: dir}, info: &debug.BuildInfo{}, program: filepath.Join(t.TempDir(), "mage-sign"),
		env: append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOENV=off", "GOWORK=off")}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := c.compile(ctx, func(*Count) func(error) { return func(error) {} })
		cancel()
		if err == nil || !strings.Contains(err.Error(), "no required module provides package") {
			t.Errorf("error %v", err)
		}
	}
}
