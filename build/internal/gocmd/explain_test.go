package gocmd_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/process"
)

// A build cache that cannot be written is named, where the go command says that the standard
// library has no such package.
func TestBuildCacheThatCannotBeWritten(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/m\n\ngo 1.26\n", "main.go": "package main\n\nimport _ \"errors\"\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g, err := gocmd.Read(t.Context(), dir, append(os.Environ(), "GOCACHE="+cache, "GOENV=off", "GOFLAGS=", "GOWORK="))
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Run(t.Context(), g.Command(nil, "list", "-find", "errors")); err != nil {
		t.Fatal(err)
	}
	// A folder where a file of the cache was is in the way of every user, root as well.
	err = filepath.WalkDir(cache, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if err := os.Remove(name); err != nil || !strings.HasSuffix(name, "-d") {
			return err
		}
		return os.Mkdir(name, 0o755)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = g.Explain(process.Run(t.Context(), g.Command(nil, "build", "-o", os.DevNull, ".")))
	if err == nil || !strings.Contains(err.Error(), "package errors is not in std") || !strings.Contains(err.Error(), "cannot write to its build cache "+cache) {
		t.Errorf("error %v", err)
	}

	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nimport _ \"error\"\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err = g.Explain(process.Run(t.Context(), g.Command(nil, "build", "-o", os.DevNull, ".")))
	if err == nil || !strings.Contains(err.Error(), "package error is not in std") || strings.Contains(err.Error(), "build cache") {
		t.Errorf("of a package that does not exist: %v", err)
	}
}

// The error of a go command begins with the error, not with a list of downloads.
func TestDownloadsAreLeftOut(t *testing.T) {
	g := &gocmd.Go{}
	err := g.Explain(&process.Error{Args: []string{"go", "build"}, Err: errors.New("exit status 1"), Stderr: strings.Join([]string{
		"go: downloading example.com/a v1.0.0", "go: downloading example.com/b v1.2.3-0.20260101000000-0123456789ab",
		"go: example.com/gone@v1.0.0: reading https://proxy.example.com/gone.mod: 403 Forbidden", "\tdownloading is not allowed",
	}, "\n")})
	want := "go build: go: example.com/gone@v1.0.0: reading https://proxy.example.com/gone.mod: 403 Forbidden\n\tdownloading is not allowed"
	if err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if failed := new(process.Error); !errors.As(err, &failed) || failed.Err == nil {
		t.Errorf("it is %#v", err)
	}
}
