package build_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/cleanroom"
	"github.com/thimble-build/thimble/build/internal/testtool"
	_ "github.com/thimble-build/thimble/build/signing"
)

// sampleService is a copy of sample-service in a git repository of its own.
func sampleService(t testing.TB) string {
	t.Helper()
	repo := filepath.Join(t.TempDir(), "repo")
	if err := os.CopyFS(repo, os.DirFS(filepath.Join("..", "sample-service"))); err != nil {
		t.Fatal(err)
	}
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a commit")
	git(t, repo, "tag", "v1.2.3")
	return repo
}

func git(t testing.TB, dir string, args ...string) {
	t.Helper()
	cmd := testtool.Command(t, "git", args...)
	cmd.Dir, cmd.Env = dir, environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// environment is this process's without anybody's settings for go and git, and
// with dates that stay.
func environment(extra ...string) []string {
	return slices.Concat(os.Environ(), []string{
		"GOENV=off", "GOFLAGS=", "GOWORK=", "SOURCE_DATE_EPOCH=",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com",
		"GIT_AUTHOR_DATE=2026-02-03T04:05:06Z", "GIT_COMMITTER_DATE=2026-02-03T04:05:06Z",
	}, extra)
}

// inShort are the tests that build something with "go test -short" as well.
var inShort = []string{"TestImageBase", "TestSign", "TestReleaseTags", "TestVerifyRefuses", "TestDirtyReleaseSaysSo"}

// cacheFolder is shared by the tests of this package: the licences are read once. Who needs
// it builds something, which "go test -short" leaves out but for a few tests.
func cacheFolder(t testing.TB) string {
	t.Helper()
	if name, _, _ := strings.Cut(t.Name(), "/"); !slices.Contains(inShort, name) {
		testtool.NotShort(t)
	}
	dir, err := filepath.Abs(filepath.Join(os.TempDir(), fmt.Sprintf("thimble-test-cache-%d", os.Getpid())))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMain(m *testing.M) {
	if cleanroom.Asked() { // see Reproduce
		if err := cleanroom.Enter(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	os.RemoveAll(filepath.Join(os.TempDir(), fmt.Sprintf("thimble-test-cache-%d", os.Getpid())))
	os.Exit(code)
}
