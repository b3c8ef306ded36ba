package build_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// Debian's reprotest builds the image twice: with all its variations, among them the
// clock, the order of files in folders, the kernel, the host's name and the user.
func TestReprotest(t *testing.T) {
	for _, program := range []string{"reprotest", "faketime", "disorderfs"} {
		testtool.Program(t, program)
	}
	_, err := os.Stat("/dev/fuse")
	testtool.Require(t, err == nil && os.Getuid() == 0, "root with /dev/fuse")
	repo := module(t, "hello")
	mage := must(testtool.Targets(t.Context(), ".."))
	modules := strings.TrimSpace(string(must(testtool.Command(t, "go", "env", "GOMODCACHE").Output())))
	// The first build's home is the tree itself, and the go command keeps its counters
	// in it, unless it is told another place.
	script := fmt.Sprintf("export GOENV=off GOFLAGS= GOTOOLCHAIN=local GOMODCACHE=%q GOCACHE=$PWD/../gocache XDG_CACHE_HOME=$PWD/../cache XDG_CONFIG_HOME=$PWD/../config; %q image -test=false", modules, mage)
	cmd := testtool.Command(t, "reprotest", "--no-diffoscope", "-v", "-c", script, repo,
		"dist/oci/hello/index.json dist/oci/hello/blobs/sha256/* dist/manifest.json dist/sbom/*")
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("reprotest: %v\n%s", err, out)
	}
	if strings.Count(string(out), "ok      write dist") != 2 || !strings.Contains(string(out), "FAKETIME variation") {
		t.Errorf("reprotest did not build twice with another time:\n%s", out)
	}
}
