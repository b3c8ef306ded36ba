package atomicfile_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
)

// only checks that the folder holds one file with this content and nothing else.
func only(t *testing.T, path, content string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("folder holds %v, want only %s", entries, filepath.Base(path))
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != content {
		t.Errorf("content is %q, want %q", got, content)
	}
}

func TestWriteCreatesAndReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"first, and longer", "second", ""} {
		if err := atomicfile.Write(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		only(t, path, content)
	}
}

func TestWriteGivesPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	path := filepath.Join(t.TempDir(), "file")
	for _, perm := range []fs.FileMode{0o600, 0o700, 0o400} {
		if err := atomicfile.Write(path, nil, perm); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != perm {
			t.Errorf("permissions are %v, want %v", info.Mode().Perm(), perm)
		}
	}
}

func TestFailureLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := atomicfile.Write(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("the source broke")
	err := atomicfile.WriteFunc(path, 0o644, func(w io.Writer) error {
		if _, err := w.Write(bytes.Repeat([]byte("new"), 10_000)); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("error is %v, want %v", err, failure)
	}
	only(t, path, "old")
}

func TestPanicLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := atomicfile.Write(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = atomicfile.WriteFunc(path, 0o644, func(io.Writer) error { panic("writer") })
	}()
	only(t, path, "old")
}

// The error names the file that the caller asked for, not the temporary one.
func TestErrorNamesTheFile(t *testing.T) {
	folder := t.TempDir()
	missing := filepath.Join(folder, "missing", "file")
	occupied := filepath.Join(folder, "folder")
	if err := os.MkdirAll(filepath.Join(occupied, "inside"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{missing, occupied} {
		err := atomicfile.Write(path, []byte("x"), 0o644)
		if err == nil {
			t.Fatalf("writing %s worked", path)
		}
		if !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), atomicfile.TempPrefix) {
			t.Errorf("error %q should name %s only", err, path)
		}
	}
	if err := atomicfile.Write(missing, nil, 0o644); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v, want fs.ErrNotExist", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("folder holds %v, want only what was there", entries)
	}
}
