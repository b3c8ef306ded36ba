package publish_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

func init() {
	// hold opens the folder, says so, and commits when its stdin ends.
	roles["hold"] = func(args []string) error {
		d, err := publish.Open(context.Background(), args[0], func() { fmt.Println("waiting") }, filesum.Sums{})
		if err != nil {
			return err
		}
		fmt.Println("open")
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			return err
		}
		if err := d.Write("bin/held", []byte(args[1])); err != nil {
			return err
		}
		return d.Commit(context.Background(), []byte(args[1]))
	}
	// increment adds one to the number in bin/number, many times.
	roles["increment"] = func(args []string) error {
		for range must(strconv.Atoi(args[1])) {
			d, err := publish.Open(context.Background(), args[0], nil, filesum.Sums{})
			if err != nil {
				return err
			}
			number := 0
			if b, err := os.ReadFile(filepath.Join(args[0], "bin", "number")); err == nil {
				number = must(strconv.Atoi(string(b)))
			} else if !errors.Is(err, os.ErrNotExist) {
				return err
			}
			next := []byte(strconv.Itoa(number + 1))
			if err := d.Write("bin/number", next); err != nil {
				return err
			}
			if err := d.Commit(context.Background(), next); err != nil {
				return err
			}
			// A run that fails in between takes nothing away from the others.
			if d, err = publish.Open(context.Background(), args[0], nil, filesum.Sums{}); err != nil {
				return err
			}
			if err := d.Close(); err != nil {
				return err
			}
		}
		return nil
	}
	// come-and-go makes the folder and removes it, many times, with runs that fail in between.
	roles["come-and-go"] = func(args []string) error {
		ctx := context.Background()
		for range must(strconv.Atoi(args[1])) {
			d, err := publish.Open(ctx, args[0], nil, filesum.Sums{})
			if err != nil {
				return err
			}
			if err := d.Close(); err != nil {
				return err
			}
			if d, err = publish.Open(ctx, args[0], nil, filesum.Sums{}); err != nil {
				return err
			}
			if err := d.Write("bin/x", nil); err != nil {
				return err
			}
			if err := d.Commit(ctx, nil); err != nil {
				return err
			}
			if err := publish.Remove(ctx, args[0], nil); err != nil {
				return err
			}
		}
		return nil
	}
}

// play starts this test binary in a role; its stdout is read by the test.
func play(t testing.TB, role string, args ...string) (*exec.Cmd, io.WriteCloser, *bufio.Reader) {
	t.Helper()
	cmd := testtool.Command(t, must(os.Executable()), args...)
	cmd.Env = append(os.Environ(), "PUBLISH_TEST_ROLE="+role)
	cmd.Stderr = os.Stderr
	stdin, stdout := must(cmd.StdinPipe()), must(cmd.StdoutPipe())
	ok(t, cmd.Start())
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd, stdin, bufio.NewReader(stdout)
}

func line(t testing.TB, r *bufio.Reader, want string) {
	t.Helper()
	got, err := r.ReadString('\n')
	if err != nil || got != want+"\n" {
		t.Fatalf("the other run said %q (%v), want %q", got, err, want)
	}
}

func TestSecondRunWaitsForTheFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dist")
	first, stdin, said := play(t, "hold", dir, "first")
	line(t, said, "open")

	// One that gives up leaves everything to the first.
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	_, err := publish.Open(ctx, dir, func() { calls++; cancel() }, filesum.Sums{})
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Fatalf("error is %v after %d calls of waiting", err, calls)
	}

	// One that waits goes on when the first has ended.
	second, secondStdin, secondSaid := play(t, "hold", dir, "second")
	line(t, secondSaid, "waiting")
	ok(t, stdin.Close())
	ok(t, first.Wait())
	line(t, secondSaid, "open")
	if got := must(os.ReadFile(filepath.Join(dir, "manifest.json"))); string(got) != "first" {
		t.Errorf("manifest.json is %q", got)
	}
	ok(t, secondStdin.Close())
	ok(t, second.Wait())
	holds(t, dir, ".gitignore", "bin/held", "manifest.json")
	if got := must(os.ReadFile(filepath.Join(dir, "manifest.json"))); string(got) != "second" {
		t.Errorf("manifest.json is %q", got)
	}
}

// The lock of a process that was killed is free.
func TestLockOfAKilledRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dist")
	first, _, said := play(t, "hold", dir, "first")
	line(t, said, "open")
	ok(t, first.Process.Kill())
	if err := first.Wait(); err == nil {
		t.Fatal("it was not killed")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	d, err := publish.Open(ctx, dir, func() { t.Error("waiting for a dead run") }, filesum.Sums{})
	ok(t, err)
	ok(t, d.Close())
}

// The lock file comes and goes with each run, and the folder with it: no two runs
// may ever hold it at once.
func TestManyRunsAtOnce(t *testing.T) {
	const runs, times = 4, 25
	dir := filepath.Join(t.TempDir(), "dist")
	playMany(t, runs, "increment", dir, strconv.Itoa(times))
	if got, want := string(must(os.ReadFile(filepath.Join(dir, "bin", "number")))), strconv.Itoa(runs*times); got != want {
		t.Errorf("%s increments survived, want %s", got, want)
	}
	holds(t, dir, ".gitignore", "bin/number", "manifest.json")
}

// Nor may a run take a folder for somebody else's because another run is just making or
// removing it.
func TestFolderComesAndGoes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dist")
	playMany(t, 8, "come-and-go", dir, "25")
	if left := tree(t, dir); left != nil {
		t.Errorf("left: %v", left)
	}
}

// playMany plays several processes of one role at once, to their end.
func playMany(t *testing.T, runs int, role string, args ...string) {
	t.Helper()
	var all []*exec.Cmd
	for range runs {
		cmd, _, _ := play(t, role, args...)
		all = append(all, cmd)
	}
	for _, cmd := range all {
		ok(t, cmd.Wait())
	}
}
