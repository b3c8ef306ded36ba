package build_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestCapabilityInDocker runs a service as a user of its own that binds port 80 with a
// file capability, and wants the same service without it to fail. Docker lets everybody
// bind low ports, so the kernel's own rule is put back.
func TestCapabilityInDocker(t *testing.T) {
	requireDocker(t)
	repo := filepath.Join(t.TempDir(), "repo")
	if err := os.CopyFS(repo, os.DirFS(filepath.Join("..", "testdata", "modules", "bind"))); err != nil {
		t.Fatal(err)
	}
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a commit")
	config := build.Config{Defaults: build.ImageConfig{
		Users:        []build.User{{Name: "web", UID: 1234}},
		Runtime:      build.Runtime{User: "web"},
		Capabilities: []string{"NET_BIND_SERVICE"},
	}}
	run := func(options ...string) (string, error) {
		args := append([]string{"run", "--rm", "--sysctl=net.ipv4.ip_unprivileged_port_start=1024"}, options...)
		out, err := testtool.Command(t, "docker", append(args, loadImage(t, repo, config))...).CombinedOutput()
		return string(out), err
	}
	if out, err := run(); err != nil || out != "web, who lives in /home/web, listens on port 80\n" {
		t.Errorf("with the capability: %v\n%s", err, out)
	}
	if out, err := run("--cap-drop=ALL", "--cap-add=NET_BIND_SERVICE"); err != nil {
		t.Errorf("with the capability and no other: %v\n%s", err, out)
	}
	// This is why "mage run" and "mage manifest" allow new privileges for such an image.
	if out, err := run("--cap-drop=ALL", "--cap-add=NET_BIND_SERVICE", "--security-opt=no-new-privileges"); err == nil {
		t.Errorf("without new privileges: %s", out)
	}
	config.Defaults.Capabilities = nil
	if out, err := run(); err == nil || !strings.Contains(out, "permission denied") {
		t.Errorf("without the capability: %v\n%s", err, out)
	}
}
