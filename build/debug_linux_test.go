package build_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestDebugInDocker debugs a service with a real client of delve: first in its debug
// image, then from a toolbox that joins the container of the release.
func TestDebugInDocker(t *testing.T) {
	requireDocker(t)
	dlv := testtool.Tool(t, "github.com/go-delve/delve/cmd/dlv", "v1.27.2", "")
	o := settings{Load: true, Options: build.Options{
		Config: build.Config{Debian: build.DebianConfig{Mirror: debiantest.Mirror(t), Suite: "bookworm"}},
		Env:    environment(), Cache: cacheFolder(t),
	}}
	o.Workdir = tickerRepo(t)
	if _, err := build.Lock(t.Context(), o.Options); err != nil {
		t.Fatal(err)
	}
	git(t, o.Workdir, "add", "-A")
	git(t, o.Workdir, "commit", "-q", "-m", "the lock")
	unsupported := o
	unsupported.Platforms = []string{"linux/s390x"}
	if _, err := build.Debug(t.Context(), unsupported.debug(false)); err == nil || !strings.Contains(err.Error(), "delve does not support the platform linux/s390x") {
		t.Errorf("a platform that delve lacks: %v", err)
	}

	start := func(toolbox bool, args func(ref string) []string) string {
		t.Helper()
		result, err := build.Debug(t.Context(), o.debug(toolbox))
		if err != nil {
			t.Fatal(err)
		}
		checkDebugSBOM(t, result, toolbox)
		checkCommands(t, dlv, result)
		ref := result.Images[0].Reference
		t.Cleanup(func() { _ = testtool.Command(t, "docker", "image", "rm", "-f", ref).Run() })
		return startContainer(t, args(ref)...)
	}

	t.Run("debug", func(t *testing.T) {
		c := start(false, func(ref string) []string { return []string{"-p", "127.0.0.1::40000", ref} })
		if out := docker(t, "exec", c, "sh", "-c", "id -un; wget --help 2>&1 | head -1; cat /proc/1/cmdline | tr '\\0' ' '"); !regexp.MustCompile(`(?s)^nonroot\n.*BusyBox v1.*/debug/bin/dlv exec`).MatchString(out) {
			t.Errorf("the shell says\n%s", out)
		}
		said := client(t, dlv, c, "tick", "break main.tick", "continue", "print n", "print answer", "list", "clearall", "exit -c")
		if !regexp.MustCompile(`(?m)^1[0-9]{3}$`).MatchString(said) || !strings.Contains(said, "\n42\n") || strings.Contains(said, "optimized") {
			t.Errorf("the client says\n%s", said)
		}
		stillTicks(t, c)
	})
	t.Run("toolbox", func(t *testing.T) {
		release := startContainer(t, loadImageWith(t, o))
		c := start(true, func(ref string) []string {
			return []string{
				"-p", "127.0.0.1::40000", "--pid=container:" + release, "--cap-add=SYS_PTRACE", "--user=0:0", ref,
				"dlv", "attach", "1", "--headless", "--listen=:40000", "--api-version=2", "--accept-multiclient",
			}
		})
		said := client(t, dlv, c, "API server listening", "break main.tick", "continue", "print n", "print main.answer", "clearall", "exit -c")
		if !regexp.MustCompile(`(?m)^1[0-9]{3}$`).MatchString(said) || !strings.Contains(said, "\n42\n") {
			t.Errorf("the client says\n%s", said)
		}
		if out := docker(t, "exec", c, "ls", "/proc/1/root/app"); out != "ticker\n" {
			t.Errorf("the toolbox sees %q in the container", out)
		}
		docker(t, "stop", "--time=10", c)
		stillTicks(t, release)
	})
}

// A repository that pins no debugger and no busybox gets those that thimble pins: nothing is written
// into it, and the tree stays clean.
func TestDebugNeedsNoLock(t *testing.T) {
	testtool.OnRequest(t, "Debian's mirror; delve is compiled")
	o := settings{Options: build.Options{
		Config: build.Config{Debian: build.DebianConfig{Mirror: debiantest.Mirror(t), Suite: "bookworm"}},
		Env:    environment(), Cache: cacheFolder(t), Workdir: module(t, "hello"),
	}}
	for _, when := range []string{"at first", "again"} {
		r, err := build.Debug(t.Context(), o.debug(false))
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if r.Plan.Dirty || r.Plan.Lock == nil || len(r.Plan.Lock.Debian) != 1 || r.Plan.Lock.Debian[0].Packages[0].Name != "busybox-static" || len(r.Instructions) == 0 {
			t.Errorf("%s, the plan is %+v", when, r.Plan)
		}
		o.Config.Debian.Mirror = "http://127.0.0.1:1/" // it is pinned and cached now
	}
	status := testtool.Command(t, "git", "status", "--porcelain", "--", ":!dist")
	status.Dir = o.Workdir
	if out, err := status.Output(); err != nil || len(out) > 0 {
		t.Errorf("the repository has changed: %s, %v", out, err)
	}
}

// tickerRepo is a repository whose tools are this one's, delve among them.
func tickerRepo(t *testing.T) string {
	t.Helper()
	repo := filepath.Join(t.TempDir(), "repo")
	if err := os.CopyFS(repo, os.DirFS(filepath.Join("..", "testdata", "modules", "ticker"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(repo, "magefiles"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(repo, "magefiles", name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a commit")
	return repo
}

func loadImageWith(t *testing.T, o settings) string {
	t.Helper()
	o.SkipTests = true
	result, err := build.Image(t.Context(), o.image())
	if err != nil {
		t.Fatal(err)
	}
	ref := result.Images[0].Reference
	t.Cleanup(func() { _ = testtool.Command(t, "docker", "image", "rm", "-f", ref).Run() })
	return ref
}

func startContainer(t *testing.T, args ...string) string {
	t.Helper()
	id := strings.TrimSpace(docker(t, append([]string{"run", "-d"}, args...)...))
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := testtool.Command(t, "docker", "logs", "--tail=20", id).CombinedOutput()
			t.Logf("the container said:\n%s", out)
		}
		_ = testtool.Command(t, "docker", "rm", "-f", id).Run()
	})
	return id
}

// client is what dlv says to commands, connected to a container's port 40000 once the
// container has said that it is ready. A dlv with --continue listens before it continues,
// and whoever connects in between hangs: it is ready when the service speaks.
func client(t *testing.T, dlv, container, ready string, commands ...string) string {
	t.Helper()
	address := strings.TrimSpace(docker(t, "port", container, "40000/tcp"))
	script := filepath.Join(t.TempDir(), "commands")
	if err := os.WriteFile(script, []byte(strings.Join(commands, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for tries := 0; !strings.Contains(logs(container), ready); tries++ {
		if tries == 300 { // Docker's proxy listens before dlv does
			t.Fatalf("the container does not say %q", ready)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if conn, err := net.DialTimeout("tcp", address, time.Second); err != nil {
		t.Fatal(err)
	} else {
		conn.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, dlv, "connect", address, "--allow-non-terminal-interactive=true", "--init", script)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("dlv connect: %v\n%s", err, out)
	}
	return string(out)
}

func logs(container string) string {
	out, _ := testtool.Output("", nil, "sh", "-c", `docker logs "$0" 2>&1`, container)
	return out
}

// stillTicks wants the service to go on.
func stillTicks(t *testing.T, container string) {
	t.Helper()
	before := strings.Count(logs(container), "tick")
	for range 50 {
		time.Sleep(100 * time.Millisecond)
		if strings.Count(logs(container), "tick") > before {
			return
		}
	}
	t.Error("the service has stopped")
}

// checkDebugSBOM wants dlv's modules and busybox in the SBOM, and the service's own in
// that of the debug image alone.
func checkDebugSBOM(t *testing.T, r *build.Result, toolbox bool) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.Dist, filepath.FromSlash(r.Images[0].Platforms[0].SBOM.CycloneDX)))
	if err != nil {
		t.Fatal(err)
	}
	var bom struct{ Components []struct{ Name, PURL string } }
	if err := json.Unmarshal(b, &bom); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range bom.Components {
		names = append(names, c.Name)
		if c.Name == "busybox-static" && !strings.HasPrefix(c.PURL, "pkg:deb/debian/busybox-static@") {
			t.Errorf("busybox has the purl %s", c.PURL)
		}
	}
	for name, want := range map[string]bool{
		"github.com/go-delve/delve": true, "go.starlark.net": true, "std": true, "busybox-static": true, "example.com/ticker": !toolbox,
	} {
		if slices.Contains(names, name) != want {
			t.Errorf("the SBOM lists %s: %v; it has %q", name, !want, names)
		}
	}
	for _, p := range r.Images {
		if !strings.HasSuffix(p.Tags[0], map[bool]string{false: "-debug", true: "-toolbox"}[toolbox]) {
			t.Errorf("tags are %q", p.Tags)
		}
	}
}
