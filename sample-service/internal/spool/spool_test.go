package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestFileHasContentButNoName(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	f, err := New(strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	wantEmpty(t, dir)
	content, err := io.ReadAll(f)
	if err != nil || string(content) != "hello" || f.Size != 5 {
		t.Errorf("read %q (size %d): %v", content, f.Size, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestErrorOfTheStreamIsReturned(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	want := errors.New("broken")
	if _, err := New(iotest.ErrReader(want)); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	wantEmpty(t, dir)
}

func TestWithoutTemporaryDirectory(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	if _, err := New(strings.NewReader("hello")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}
