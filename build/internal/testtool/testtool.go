// Package testtool builds programs of other modules for tests: stock clients and real servers,
// each once, into a folder of the user's cache that all tests share. It takes a package and a
// version, and returns the program's path. It never changes a go.mod.
package testtool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

var major = regexp.MustCompile(`/v[0-9]+$`)

// Build builds a command of another module, unless it is already built. toolchain is the required
// Go toolchain; empty means the current one.
func Build(pkg, version, toolchain string) (string, error) {
	return once(pkg, version, func(dir, _ string) error {
		_, err := run(dir, toolchain, "install", pkg+"@"+version)
		return err
	})
}

// BuildReplaced is Build for a module with replace directives, which go install refuses: it
// builds the command in the module's folder of the module cache.
func BuildReplaced(module, version, command, toolchain string) (string, error) {
	return once(module+"/"+command, version, func(_, file string) error {
		dir, err := Module(module, version)
		if err == nil {
			_, err = run(dir, toolchain, "build", "-o", file, "./"+command)
		}
		return err
	})
}

// Module returns the folder of a module in the module cache, for files that are not compiled.
func Module(module, version string) (string, error) {
	out, err := run("", "", "mod", "download", "-json", module+"@"+version)
	if err != nil {
		return "", err
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(out, &downloaded); err != nil {
		return "", fmt.Errorf("go mod download %s@%s: %w", module, version, err)
	}
	return downloaded.Dir, nil
}

// once returns the path of a command, and builds it if it is missing.
func once(pkg, version string, build func(dir, file string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	// The module's name, such as cosign of .../cosign/v2/cmd/cosign.
	module, _, _ := strings.Cut(pkg, "/cmd/")
	module = path.Base(major.ReplaceAllString(module, ""))
	dir := filepath.Join(cache, "thimble-test-tools", module+"@"+version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(dir, ".lock"))
	if err := waitFor(context.Background(), lock); err != nil {
		return "", err
	}
	defer lock.Close()
	file := filepath.Join(dir, path.Base(pkg))
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	return file, build(dir, file)
}

// run runs the go command in a folder, and returns its output.
func run(dir, toolchain string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), buildLimit,
		fmt.Errorf("no result after %v", buildLimit))
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.WaitDelay = dir, 10*time.Second
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off")
	if toolchain != "" {
		cmd.Env = append(cmd.Env, "GOTOOLCHAIN="+toolchain)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), errors.Join(context.Cause(ctx), err),
			&stderr)
	}
	return out, nil
}
