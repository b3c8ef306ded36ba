package gocmd_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/internal/gocmd"
)

func TestMissing(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "go.work"), "go 1.26\n\nuse (\n\t./a\n\t./b\n)\n\nreplace example.com/forked => example.com/Fork v1.1.0\n")
	write(filepath.Join(dir, "a", "go.mod"), `module example.com/a

go 1.26

require (
	example.com/b v0.0.0
	example.com/forked v1.0.0
	example.com/here v1.0.0
	example.com/local v1.0.0
	example.com/there v1.0.0
)

replace example.com/local v1.0.0 => ../local
`)
	write(filepath.Join(dir, "b", "go.mod"), "module example.com/b\n\ngo 1.26\n\nrequire example.com/there v1.0.0\n")
	write(filepath.Join(cache, "cache", "download", "example.com", "here", "@v", "v1.0.0.zip"), "")
	env := append(os.Environ(), "GOMODCACHE="+cache, "GOFLAGS=", "GOENV=off", "GOWORK=")
	for module, want := range map[string][]string{
		"a": {"example.com/Fork@v1.1.0", "example.com/there@v1.0.0"}, // of the whole workspace
		"b": {"example.com/Fork@v1.1.0", "example.com/there@v1.0.0"},
	} {
		g, err := gocmd.Read(context.Background(), filepath.Join(dir, module), env)
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.Missing()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s misses %q, %v; want %q", module, got, err, want)
		}
	}
	g, err := gocmd.Read(context.Background(), filepath.Join(dir, "b"), append(env, "GOWORK=off"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.Missing(); err != nil || !slices.Equal(got, []string{"example.com/there@v1.0.0"}) {
		t.Errorf("alone it misses %q, %v", got, err)
	}
}
