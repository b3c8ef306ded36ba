package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// nested is set for the go test that TestSummaryIsShown runs.
const nested = "SUMMARY_IS_SHOWN"

// Whatever "go test" writes to, the summary is there, once, whole, and after the results
// of the packages that were skipped from. That holds as well where the results are cached.
func TestSummaryIsShown(t *testing.T) {
	if os.Getenv(nested) != "" {
		return
	}
	gocache, err := testtool.Command(t, "go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir() // without what other runs have recorded
	goTest := []string{"go", "test", "./build/internal/testtool", "./build/tests"}
	run := func(t *testing.T, args []string, connect func(*exec.Cmd) (read func() []byte)) {
		t.Helper()
		cmd := testtool.Command(t, args[0], args[1:]...)
		cmd.Dir = filepath.Join("..", "..")
		cmd.Env = append(os.Environ(), nested+"=1", "THIMBLE_REQUIRE=", "XDG_CACHE_HOME="+cache, "GOCACHE="+strings.TrimSpace(string(gocache)))
		read := connect(cmd)
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, read())
		}
		_, after, ok := strings.Cut(string(read()), "thimble/build/internal/testtool\t")
		want := fmt.Sprintf("tests that need more than Go and git\n    1 in build/internal/testtool: to be asked for\n  all of them, by name: build/tests/%s\n", list)
		if !ok || strings.Count(after, want) != 1 || !strings.Contains(after, "THIMBLE_REQUIRE=1 go test") || !strings.Contains(after, "\nok  \tgithub.com/thimble-build/thimble/build/tests\t") {
			t.Errorf("go test shows\n%s\nwithout\n%s", after, want)
		}
	}
	pipe := func(cmd *exec.Cmd) func() []byte {
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		return out.Bytes
	}
	for range 2 { // the second has cached results
		t.Run("pipe", func(t *testing.T) {
			run(t, goTest, pipe)
		})
		t.Run("file", func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "out")
			run(t, goTest, func(cmd *exec.Cmd) func() []byte {
				out, err := os.Create(name)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = out.Close() })
				cmd.Stdout, cmd.Stderr = out, out
				return func() []byte {
					b, err := os.ReadFile(name)
					if err != nil {
						t.Fatal(err)
					}
					return b
				}
			})
		})
	}
	// The go command is slow to see that a test has ended, and shows its result after that.
	t.Run("slow", func(t *testing.T) {
		slow := []string{testtool.Program(t, "strace"), "-qq", "-f", "-o", os.DevNull, "-e", "trace=waitid,wait4", "-e", "inject=waitid,wait4:delay_exit=400000"}
		run(t, append(append(slow, goTest...), "-count=1"), pipe)
	})
}

// What a process writes next to its file does not cover what was written through a
// standard error that was opened anew.
func TestReopened(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := testtool.Command(t, "git", "hash-object", "--stdin") // which waits for its input
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	again, err := reopened(fmt.Sprintf("/proc/%d", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.WriteString("the summary\n"); err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(b), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n") || !strings.HasSuffix(string(b), "\nthe summary\n") {
		t.Errorf("the file has %q", b)
	}
}

// This package starts last, because its name is the last of those with tests.
func TestLast(t *testing.T) {
	if os.Getenv(nested) != "" {
		return
	}
	cmd := testtool.Command(t, "go", "list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if all := strings.Fields(string(out)); all[len(all)-1] != "github.com/thimble-build/thimble/build/tests" {
		t.Errorf("the last package with tests is %s", all[len(all)-1])
	}
}

// A line names every need once, and is not too long for a terminal.
func TestSummaryOf(t *testing.T) {
	if got := summary(nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	got := summary([]skippedPackage{
		{"build", []testtool.Skipped{{Test: "TestA", Need: "Docker"}, {Test: "TestA", Need: "root"}, {Test: "TestB", Need: "Docker"}, {Test: "TestC", Need: strings.Repeat("x", 100)}}},
		{"build/plan", []testtool.Skipped{{Test: "TestD", Need: "strace"}}},
	})
	want := "\nskipped, in whole or in part: 4 tests that need more than Go and git\n    3 in build: Docker; root; " + strings.Repeat("x", 69) + "…\n    1 in build/plan: strace\n"
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
