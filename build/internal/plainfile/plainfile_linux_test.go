package plainfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// Only regular files are opened; below a root, only those in it. Nothing waits.
func TestOpen(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o644), os.Mkdir(filepath.Join(dir, "folder"), 0o755),
		os.WriteFile(filepath.Join(outside, "secret"), []byte("content"), 0o600),
		syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644), os.Symlink("file", filepath.Join(dir, "link")),
		os.Symlink("pipe", filepath.Join(dir, "to-pipe")), os.Symlink("/dev/zero", filepath.Join(dir, "device")),
		os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "out")), os.Symlink(outside, filepath.Join(dir, "away")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range map[string]struct{ byPath, inRoot string }{
		"file": {}, "link": {},
		"out": {"", "escapes"}, "away/secret": {"", "escapes"},
		"pipe": {"not a regular file", "not a regular file"}, "to-pipe": {"not a regular file", "not a regular file"}, "folder": {"not a regular file", "not a regular file"},
		"device": {"not a regular file", "escapes"}, "none": {"no such file", "no such file"}, "../x": {"no such file", "escapes"},
	} {
		f, err := Open(filepath.Join(dir, name))
		check(t, name+" by its path", f, err, want.byPath)
		f, err = OpenIn(root, name)
		check(t, name+" in the root", f, err, want.inRoot)
	}
	if b, err := ReadIn(root, "link", 7); string(b) != "content" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := ReadIn(root, "file", 6); !errors.Is(err, limit.ErrTooLarge) {
		t.Errorf("a byte more: %v", err)
	}
}

func check(t *testing.T, name string, f *os.File, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: %v, want %q", name, err, want)
	case err == nil && f.Close() != nil:
		t.Errorf("%s cannot be closed", name)
	}
}
