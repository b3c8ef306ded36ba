//go:build unix

package tree

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

func TestAssetsRefusesSpecialFiles(t *testing.T) {
	dir := sourceTree(t, map[string]string{"web/file": "f"})
	if err := syscall.Mkfifo(filepath.Join(dir, "web", "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"web", "web/pipe"} {
		_, err := Assets(dir, plan.Image{Assets: []plan.Asset{{Source: source, Target: "/x"}}}, Accounts{}, nil)
		if err == nil || !strings.Contains(err.Error(), "neither a file, a folder nor a symlink") {
			t.Errorf("%s gives %v", source, err)
		}
	}
	// A CA file that is a pipe must not make the build wait for ever.
	_, err := Assets(dir, plan.Image{CACertificates: []string{"web/pipe"}}, Accounts{}, nil)
	if err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a pipe of certificates gives %v", err)
	}
}

func TestUmaskDoesNotMatter(t *testing.T) {
	var digests []string
	for _, mask := range []int{0o022, 0o077, 0} {
		old := syscall.Umask(mask)
		dir := sourceTree(t, map[string]string{"web/file": "f"})
		tr, err := Assets(dir, plan.Image{Assets: []plan.Asset{{Source: "web", Target: "/x"}}}, Accounts{}, nil)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest(t, tr))
		if err := os.RemoveAll(filepath.Join(dir, "web")); err != nil {
			t.Fatal(err)
		}
	}
	if digests[0] != digests[1] || digests[0] != digests[2] {
		t.Errorf("the umask changes the layer: %v", digests)
	}
}
