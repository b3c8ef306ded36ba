package reproduce

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// A build's generated files take no more memory and time than allowed, and nothing waits for a
// named pipe.
func TestGeneratedLimits(t *testing.T) {
	dir := t.TempDir()
	sparse := func(name string, size int64) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		sparse(fmt.Sprintf("large/%d", i), maxGeneratedSize)
	}
	sparse("larger", maxGeneratedSize+1)
	for i := range maxGenerated + 10 {
		sparse(fmt.Sprintf("many/%d", i), 1)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, test := range []struct {
		names        []string
		files, bytes int
	}{
		{[]string{"larger", "pipe", "none"}, 0, 0},
		{[]string{"many"}, maxGenerated, maxGenerated},
		{[]string{"large"}, maxGeneratedTotal / maxGeneratedSize, maxGeneratedTotal},
		{[]string{"large", "many"}, maxGeneratedTotal / maxGeneratedSize, maxGeneratedTotal},
		{strings.Split(strings.Repeat("many ", 10_000), " "), maxGenerated, maxGenerated}, // would take a minute
	} {
		files, err := readGenerated(root, test.names)
		bytes := 0
		for _, content := range files {
			bytes += len(content)
		}
		if err != nil || len(files) != test.files || bytes != test.bytes {
			t.Errorf("%.50q: %d files of %d bytes, want %d of %d: %v", test.names, len(files), bytes, test.files, test.bytes, err)
		}
	}
}

// The list of generated files is read like everything else that a build left.
func TestResultOfTheBuild(t *testing.T) {
	r := &Room{layout: layout{t.TempDir()}, source: Source{Config: plan.Config{Dist: "dist"}, Plan: &plan.Plan{}}}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(`{"Unclean":["a"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what string
		make func(file string) error
		want string
	}{
		{"a file", func(file string) error { return os.WriteFile(file, []byte(`{"Unclean":["a"]}`), 0o600) }, ""},
		{"a large file", func(file string) error { return os.WriteFile(file, make([]byte, maxResult+1), 0o600) }, "it is too large"},
		{"a pipe", func(file string) error { return syscall.Mkfifo(file, 0o600) }, "not a regular file"},
		{"a link", func(file string) error { return os.Symlink(secret, file) }, "escapes"},
	} {
		if err := os.RemoveAll(r.resultFile()); err != nil {
			t.Fatal(err)
		}
		if err := test.make(r.resultFile()); err != nil {
			t.Fatal(err)
		}
		names, err := r.generated()
		if test.want == "" && (err != nil || len(names) != 1) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %q, %v", test.what, names, err)
		}
	}
}
