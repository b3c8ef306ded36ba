package publish_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// described is a manifest.json that a test can hold against the folder.
type described map[string]string

// generation makes the whole folder anew, with content that depends on n.
func generation(dir, cache string, n int) error {
	ctx := context.Background()
	d, err := publish.Open(ctx, dir, nil, filesum.Sums{})
	if err != nil {
		return err
	}
	manifest := described{}
	for _, name := range []string{"api", fmt.Sprint("other", n%2)} {
		rel := "bin/" + name + "/linux_amd64/" + name
		content := fmt.Sprintf("binary %s of %d", name, n)
		if err := d.Write(rel, []byte(content)); err != nil {
			return err
		}
		manifest[rel] = content
	}
	index := indexOf(fmt.Sprint("app", n), inCache(cache, layerOf("etc/passwd", fmt.Append(nil, n))))
	for _, name := range []string{"oci/api", fmt.Sprintf("oci/other%d", n%2)} {
		if err := d.Layout(ctx, name, named("api:v1", index)); err != nil {
			return err
		}
		manifest[name] = must(index.Digest()).String()
	}
	return d.Commit(ctx, must(json.Marshal(manifest)))
}

func init() {
	// generations changes the folder until it is killed.
	roles["generations"] = func(args []string) error {
		fmt.Println("running")
		for n := 0; ; n++ {
			if err := generation(args[0], args[1], n); err != nil {
				return err
			}
		}
	}
	// generation is one of them on one thread, for strace.
	roles["generation"] = func(args []string) error {
		runtime.LockOSThread()
		return generation(args[0], args[1], 1)
	}
}

// consistent checks the two promises of the package comment.
func consistent(dir string) error {
	layouts, err := filepath.Glob(filepath.Join(dir, "oci", "*", "index.json"))
	if err != nil {
		return err
	}
	for _, l := range layouts {
		if err := valid(filepath.Dir(l)); err != nil {
			return fmt.Errorf("%s: %w", l, err)
		}
	}
	top, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	var manifest described
	if err := json.Unmarshal(top, &manifest); err != nil {
		return fmt.Errorf("manifest.json: %w", err)
	}
	for rel, want := range manifest {
		content, err := os.ReadFile(filepath.Join(dir, rel))
		if strings.HasPrefix(rel, "oci/") {
			var index v1.IndexManifest
			if content, err = os.ReadFile(filepath.Join(dir, rel, "index.json")); err == nil {
				if err = json.Unmarshal(content, &index); err == nil {
					content = []byte(index.Manifests[0].Digest.String())
				}
			}
		}
		if err != nil {
			return fmt.Errorf("manifest.json names it: %w", err)
		}
		if string(content) != want {
			return fmt.Errorf("%s is %q, and manifest.json says %q", rel, content, want)
		}
	}
	return nil
}

func TestKilledAtRandom(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process forty times")
	}
	dir, cache := filepath.Join(t.TempDir(), "dist"), t.TempDir()
	for i := range 40 {
		cmd, _, said := play(t, "generations", dir, cache)
		line(t, said, "running")
		time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		ok(t, cmd.Process.Kill())
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the run ended by itself: %v", err)
		}
		if err := consistent(dir); err != nil {
			t.Fatalf("after kill %d: %v", i, err)
		}
	}
	ok(t, generation(dir, cache, 0))
	want := filepath.Join(t.TempDir(), "dist")
	ok(t, generation(want, cache, 0))
	same(t, tree(t, dir), tree(t, want))
}

// Killed before each single system call that changes a file system.
func TestKilledBeforeEverySystemCall(t *testing.T) {
	testtool.OnRequest(t, "strace, and minutes: it starts a process for every system call of a run")
	strace := testtool.Program(t, "strace")
	_, err := testtool.Output("", nil, strace, "-o", os.DevNull, os.Args[0], "-test.run=^$")
	testtool.Require(t, err == nil, "leave to use strace")

	cache := t.TempDir()
	want := filepath.Join(t.TempDir(), "dist")
	ok(t, generation(want, cache, 1))
	for _, call := range []string{"mkdirat", "copy_file_range", "fsync", "renameat", "unlinkat", "openat", "write", "flock"} {
		for n := 1; ; n++ {
			dir := filepath.Join(t.TempDir(), "dist")
			ok(t, generation(dir, cache, 0))
			cmd := testtool.Command(t, strace, "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call, "-e",
				fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n), must(os.Executable()), dir, cache)
			cmd.Env = append(os.Environ(), "PUBLISH_TEST_ROLE=generation", "GOMAXPROCS=1", "GOGC=off")
			out, err := cmd.CombinedOutput()
			if err := consistent(dir); err != nil {
				t.Fatalf("killed before %s %d: %v", call, n, err)
			}
			if err == nil {
				if n == 1 {
					t.Errorf("a run makes no %s", call)
				}
				same(t, tree(t, dir), tree(t, want))
				t.Logf("killed before each of %d × %s", n-1, call)
				break
			}
			if !strings.Contains(err.Error(), "killed") || len(out) > 0 {
				t.Fatalf("%s %d: the run ended with %v: %s", call, n, err, out)
			}
			ok(t, generation(dir, cache, 1))
			same(t, tree(t, dir), tree(t, want))
		}
	}
}

// The manifest is on the disk before it is in place; a run that changes nothing waits for
// no disk.
func TestOnlyAChangedManifestIsSynced(t *testing.T) {
	strace := testtool.Program(t, "strace")
	_, err := testtool.Output("", nil, strace, "-o", os.DevNull, os.Args[0], "-test.run=^$")
	testtool.Require(t, err == nil, "leave to use strace")
	dir, cache := filepath.Join(t.TempDir(), "dist"), t.TempDir()
	for _, want := range []int{1, 0} {
		log := filepath.Join(t.TempDir(), "log")
		cmd := testtool.Command(t, strace, "-f", "-y", "-qq", "-o", log, "-e", "trace=fsync,fdatasync", must(os.Executable()), dir, cache)
		cmd.Env = append(os.Environ(), "PUBLISH_TEST_ROLE=generation")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		calls := string(must(os.ReadFile(log)))
		if n := strings.Count(calls, "sync("); n != want || strings.Count(calls, filepath.Join(".stage", "manifest.json")) != want {
			t.Errorf("%d calls, want %d: %s", n, want, calls)
		}
	}
}

// Somebody who reads while runs come and go sees whole layouts: if something is
// missing, then because index.json has moved on.
func TestReaderDuringRuns(t *testing.T) {
	dir, cache := filepath.Join(t.TempDir(), "dist"), t.TempDir()
	ok(t, generation(dir, cache, 0))
	cmd, _, said := play(t, "generations", dir, cache)
	line(t, said, "running")
	name := filepath.Join(dir, "oci/api/index.json")
	whole := 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		before := must(os.ReadFile(name))
		err := valid(filepath.Dir(name))
		if err == nil {
			whole++
		} else if bytes.Equal(before, must(os.ReadFile(name))) {
			t.Fatalf("index.json has not changed: %v", err)
		}
	}
	ok(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if whole == 0 {
		t.Error("never saw a whole layout")
	}
}
