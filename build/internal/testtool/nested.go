package testtool

import (
	"os"
	"path/filepath"
	"testing"
)

// Nested requires a command of a module that is a folder of this repository and not part of its
// module, such as testdata/kubernetes, and returns its path. what says what the test needs.
func Nested(t testing.TB, dir, pkg, what string) string {
	t.Helper()
	OnRequest(t, what)
	program := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := Command(t, "go", "build", "-o", program, pkg)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return program
}
