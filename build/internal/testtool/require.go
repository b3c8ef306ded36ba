package testtool

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Asked reports whether THIMBLE_REQUIRE=1 is set. It enables the tests that need more than Go and
// git: a container engine, root, Debian's mirror, other programs, or minutes. Without it they are
// skipped on every machine, regardless of the installed programs, so that "go test ./..." does
// the same everywhere.
func Asked() bool { return os.Getenv("THIMBLE_REQUIRE") == "1" }

// OnRequest skips a test unless THIMBLE_REQUIRE=1 is set. what says what the test needs, for the
// list of skipped tests.
func OnRequest(t testing.TB, what string) {
	t.Helper()
	if !Asked() {
		leftOut.add(t.Name(), what)
		t.Skipf("runs with THIMBLE_REQUIRE=1: it needs %s", what)
	}
}

// NotShort skips a test that takes seconds with "go test -short".
func NotShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves it out: it takes seconds")
	}
}

// Part is OnRequest for a part of a test: it reports whether the part should run.
func Part(t testing.TB, what string) bool {
	if !Asked() {
		leftOut.add(t.Name(), what)
		t.Logf("a part of this runs with THIMBLE_REQUIRE=1: it needs %s", what)
	}
	return Asked()
}

// Require is OnRequest for a requirement that may be missing. If the test is enabled and present
// is false, the test fails.
func Require(t testing.TB, present bool, what string) {
	t.Helper()
	OnRequest(t, what)
	if !present {
		t.Fatalf("THIMBLE_REQUIRE=1, but this needs %s", what)
	}
}

// Program requires a program of the system, and returns its path.
func Program(t testing.TB, name string) string {
	t.Helper()
	OnRequest(t, name)
	file, err := exec.LookPath(name)
	Require(t, err == nil, name)
	return file
}

// Tool requires a command of another module (see Build), and returns its path.
func Tool(t testing.TB, pkg, version, toolchain string) string {
	t.Helper()
	OnRequest(t, pkg)
	file, err := Build(pkg, version, toolchain)
	if err != nil {
		t.Log(err)
	}
	Require(t, err == nil, pkg+"@"+version)
	return file
}

// Docker requires an engine of Docker's that answers within a minute.
func Docker(t testing.TB) {
	t.Helper()
	OnRequest(t, "Docker")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "docker", "version").CombinedOutput(); err != nil {
		t.Fatalf("THIMBLE_REQUIRE=1, but docker version: %v\n%s", errors.Join(err, ctx.Err()), out)
	}
}
