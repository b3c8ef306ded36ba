package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// content of the layer that several runs make.
func content(i int) []byte { return append(program(1<<20), byte(i)) }

const layers = 8

// another is a run of its own that makes the layers and prints their digests.
func another(dir string) error {
	c, err := cache.Open(dir, cache.Options{})
	if err != nil {
		return err
	}
	for i := range layers {
		l, err := c.Layer(context.Background(), fmt.Sprint(i), "gzip", func(w io.Writer) error {
			_, err := w.Write(content(i))
			return err
		})
		if err != nil {
			return err
		}
		digest, err := l.Digest()
		if err != nil {
			return err
		}
		if _, err := c.Value(fmt.Sprint(i), func() ([]byte, error) { return content(i), nil }); err != nil {
			return err
		}
		fmt.Println(digest)
	}
	return nil
}

func anotherRun(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := testtool.Command(t, exe)
	cmd.Env = append(os.Environ(), "CACHE_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestTwoRunsShare(t *testing.T) {
	dir := t.TempDir()
	var runs []*exec.Cmd
	var outputs []*strings.Builder
	for range 4 {
		cmd, out := anotherRun(t, dir), &strings.Builder{}
		cmd.Stdout = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		runs, outputs = append(runs, cmd), append(outputs, out)
	}
	for i, cmd := range runs {
		if err := cmd.Wait(); err != nil {
			t.Errorf("run %d: %v", i, err)
		}
		if got := outputs[i].String(); got != outputs[0].String() || strings.Count(got, "sha256:") != layers {
			t.Errorf("run %d got\n%s, the first\n%s", i, got, outputs[0])
		}
	}
	whole(t, dir, 0)
}

// A run that is killed at any moment leaves nothing that another one would take.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		cmd := anotherRun(t, dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 12 * time.Millisecond) // anywhere in the run
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		_ = cmd.Wait()     // killed, or done before
		whole(t, dir, i+1) // each leaves one at most
	}
	if out, err := anotherRun(t, dir).Output(); err != nil || strings.Count(string(out), "sha256:") != layers {
		t.Errorf("the run after: %v\n%s", err, out)
	}
	for i := range layers {
		l, made := layer(t, open(t, dir), fmt.Sprint(i), "gzip", content(i))
		if made {
			t.Errorf("layer %d was not kept", i)
		}
		check(t, l, content(i))
		if value(t, open(t, dir), fmt.Sprint(i), string(content(i))) {
			t.Errorf("value %d was not kept", i)
		}
	}
}

// whole checks that every blob is what its name says, and that no more than so
// many temporary files are left.
func whole(t *testing.T, dir string, temporary int) {
	t.Helper()
	for _, file := range files(t, filepath.Join(dir, "blobs")) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if digest(b) != filepath.Base(file) {
			t.Errorf("%s is half written", file)
		}
	}
	if left := files(t, filepath.Join(dir, "tmp")); len(left) > temporary {
		t.Errorf("%d temporary files are left", len(left))
	}
}
