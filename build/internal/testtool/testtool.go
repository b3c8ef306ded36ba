// Package testtool builds programs of other modules for tests: stock clients and real
// servers, each once, into a folder of the user's cache that all tests share. It takes
// a package and a version, and gives the program's path. It never touches a go.mod.
package testtool

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/gofrs/flock"
)

var major = regexp.MustCompile(`/v[0-9]+$`)

// Build builds a command of another module, unless it is there already. toolchain is
// the Go toolchain that it needs; empty is the present one.
func Build(pkg, version, toolchain string) (string, error) {
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
	if err := lock.Lock(); err != nil {
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
