// Package sigstoretest is a private Sigstore on loopback for tests: Fulcio, a timestamp
// authority and a Rekor log, an issuer of identity tokens, and the stock clients. All are
// the real programs, built once from their modules into the user's cache. Only tests
// import it.
package sigstoretest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// PolicyController builds the tester of Sigstore's policy-controller, which checks an image
// against a policy as the controller does.
func PolicyController(t testing.TB) string {
	t.Helper()
	testtool.OnRequest(t, "policy-controller's tester")
	file, err := testtool.BuildReplaced("github.com/sigstore/policy-controller", "v0.13.1", "cmd/tester", "")
	if err != nil {
		t.Log(err)
	}
	testtool.Require(t, err == nil, "policy-controller's tester")
	return file
}

// Cosigns are the stock clients; those of version 3 need a newer Go.
var Cosigns = []Client{
	{"github.com/sigstore/cosign/v2/cmd/cosign", "v2.6.5", ""},
	{"github.com/sigstore/cosign/v3/cmd/cosign", "v3.1.3", "go1.27.1"},
}

// Client is a stock client at a version.
type Client struct{ pkg, Version, toolchain string }

// Build returns the path of its executable.
func (c Client) Build(t testing.TB) string {
	t.Helper()
	return testtool.Tool(t, c.pkg, c.Version, c.toolchain)
}

// Command runs a program in a separate environment, and returns its output.
func Command(t testing.TB, file string, args ...string) (string, error) {
	t.Helper()
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), file, args...)
	cmd.Env = []string{"HOME=" + home, "DOCKER_CONFIG=" + home, "PATH=" + os.Getenv("PATH"),
		"TUF_ROOT=" + filepath.Join(home, "tuf")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is for values that a test needs and does not test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
