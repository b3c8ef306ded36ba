package testtool

import (
	"os"
	"os/exec"
	"testing"
)

// Require skips the test where something real is missing, or fails it where the
// environment promises with THIMBLE_REQUIRE=1 that everything is there.
func Require(t testing.TB, present bool, what string) {
	t.Helper()
	switch {
	case present:
	case os.Getenv("THIMBLE_REQUIRE") == "1":
		t.Fatalf("THIMBLE_REQUIRE=1, but this needs %s", what)
	default:
		t.Skipf("this needs %s", what)
	}
}

// Program requires a program of the system, and gives its path.
func Program(t testing.TB, name string) string {
	t.Helper()
	file, err := exec.LookPath(name)
	Require(t, err == nil, name)
	return file
}

// Tool requires a command of another module (see Build), and gives its path.
func Tool(t testing.TB, pkg, version, toolchain string) string {
	t.Helper()
	file, err := Build(pkg, version, toolchain)
	if err != nil {
		t.Log(err)
	}
	Require(t, err == nil, pkg+"@"+version)
	return file
}
