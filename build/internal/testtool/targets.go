package testtool

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Targets returns a program with the kit's targets: testdata/magefile, compiled. root is the
// repository's folder. All tests and runs share one program for the same content: it is in a
// folder of the user's cache, named by a hash of all its inputs, and only one process compiles
// it.
func Targets(ctx context.Context, root string) (string, error) {
	key, err := targetsKey(ctx, root)
	if err != nil {
		return "", fmt.Errorf("compile the targets: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("compile the targets: %w", err)
	}
	all := filepath.Join(cache, "thimble-test-tools", "targets")
	dir := filepath.Join(all, key)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("compile the targets: %w", err)
	}
	lock := flock.New(filepath.Join(dir, ".lock"))
	if err := waitFor(ctx, lock); err != nil {
		return "", fmt.Errorf("compile the targets: %w", err)
	}
	defer lock.Close()
	program := filepath.Join(dir, "mage")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if _, err := os.Stat(program); err == nil {
		now := time.Now()
		return program, os.Chtimes(dir, now, now) // in use: see removeOld
	}
	if err := removeOld(all); err != nil {
		return "", fmt.Errorf("compile the targets: %w", err)
	}
	unfinished := filepath.Join(dir, "unfinished-"+filepath.Base(program))
	if out, err := command(ctx, buildLimit, root, "go", "tool", "mage", "-d",
		filepath.Join("testdata", "magefile"), "-compile", unfinished); err != nil {
		return "", fmt.Errorf("compile the targets: %w\n%s", err, out)
	}
	return program, os.Rename(unfinished, program)
}

// removeOld removes programs that were not used for a day.
func removeOld(all string) error {
	entries, err := os.ReadDir(all)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if time.Since(info.ModTime()) > 24*time.Hour {
			if err := os.RemoveAll(filepath.Join(all, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// targetsKey returns a hash of all inputs of the program with the targets: the files of the kit
// except for its tests, the versions of the modules, the go command and its settings, and the
// state of the repository, which the go command writes into programs.
func targetsKey(ctx context.Context, root string) (string, error) {
	h := sha256.New()
	for _, c := range [][]string{
		{"go", "env", "GOVERSION", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOFLAGS", "GOEXPERIMENT",
			"CGO_ENABLED", "GOWORK"},
		{"git", "rev-parse", "HEAD"},
		{"git", "status", "--porcelain"},
	} {
		out, err := command(ctx, time.Minute, root, c[0], c[1:]...)
		if err != nil && c[0] == "go" { // outside of a repository, nothing is written into it
			return "", err
		}
		fmt.Fprintf(h, "%q %q\n", c, out)
	}
	for _, top := range []string{"go.mod", "go.sum", "build", filepath.Join("testdata", "magefile")} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return fs.SkipDir
			case d.IsDir() || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			return hashFile(h, name)
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:16]), nil
}

func hashFile(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s %x\n", name, h.Sum(nil))
	return err
}

// buildLimit is the maximum time for building a program for tests.
const buildLimit = 30 * time.Minute

// waitFor takes a lock, and waits while another process holds it to build.
func waitFor(ctx context.Context, lock *flock.Flock) error {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return fmt.Errorf("wait for the lock %s, which another test program has while it builds: %w",
			lock.Path(), err)
	}
	return nil
}

// command runs a program in a folder, and returns its output. It is killed after limit.
func command(ctx context.Context, limit time.Duration, dir, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no result after %v", limit))
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.WaitDelay = dir, 10*time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), errors.Join(context.Cause(ctx), err))
	}
	return string(out), err
}
