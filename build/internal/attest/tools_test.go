package attest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gofrs/flock"
)

// tool builds a command of another module once, into the user's cache, and gives its
// path. toolchain is the Go toolchain that it needs; empty is this one.
func tool(t testing.TB, pkg, version, toolchain string) string {
	t.Helper()
	file, err := buildTool(pkg, version, toolchain)
	if err != nil {
		t.Log(err)
	}
	require(t, err == nil, pkg+"@"+version)
	return file
}

func buildTool(pkg, version, toolchain string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	// The module's name, such as cosign of .../cosign/v2/cmd/cosign.
	parts := strings.Split(pkg, "/")
	dir := filepath.Join(cache, "thimble-test-tools", parts[2]+"@"+version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(dir, ".lock"))
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer lock.Close()
	file := filepath.Join(dir, path.Base(pkg))
	if len(parts) == 3 {
		file = filepath.Join(dir, parts[2])
	}
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	cmd := exec.Command("go", "install", pkg+"@"+version)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off")
	if toolchain != "" {
		cmd.Env = append(cmd.Env, "GOTOOLCHAIN="+toolchain)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install %s@%s: %w\n%s", pkg, version, err, out)
	}
	return file, nil
}
