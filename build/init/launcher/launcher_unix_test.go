//go:build unix

package launcher_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// What the launcher says of a stranger's folder is one line, which no terminal and no CI
// server obeys.
func TestErrorsAreOneLine(t *testing.T) {
	launcher := filepath.Join(t.TempDir(), "launch")
	if out, err := testtool.Command(t, "go", "build", "-o", launcher, "mage.go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := filepath.Join(t.TempDir(), "a\x1b[2J\x9b\u202e\u2028\n::error::b ##[group]c\xff")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := testtool.Command(t, launcher, "image")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.HasPrefix(string(out), "Error: mage.go: find the targets: no magefiles folder with a go.mod in ") {
		t.Fatalf("%v\n%q", err, out)
	}
	if want := `a\x1b[2J�\u202e\u2028\n:\:error:\:b #\#[group]c�`; !strings.Contains(string(out), want) || strings.Count(string(out), "\n") != 1 {
		t.Errorf("it says %q, want %q", out, want)
	}
}
