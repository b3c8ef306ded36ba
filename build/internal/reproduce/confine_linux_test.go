package reproduce

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/sandbox"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// The sandbox of a stranger's build hides HOME, and not the toolchain in it: the go command
// finds its standard library wherever GOROOT is, and by whatever way PATH leads there.
func TestToolchainBelowHome(t *testing.T) {
	testtool.NotShort(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	host, err := gocmd.Read(t.Context(), t.TempDir(), append(os.Environ(), "GOFLAGS=", "GOWORK=off"))
	if err != nil {
		t.Fatal(err)
	}
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) {
		t.Helper()
		name = filepath.Join(home, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// A toolchain of which only the go command and a package are there.
	for _, name := range []string{"bin/go", "VERSION", "go.env", "src/errors/errors.go"} {
		content, err := os.ReadFile(filepath.Join(host.Root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		write("sdk/go/"+name, content)
	}
	sdk := filepath.Join(home, "sdk", "go")
	if err := os.MkdirAll(filepath.Join(sdk, "pkg", "tool", runtime.GOOS+"_"+runtime.GOARCH), 0o755); err != nil {
		t.Fatal(err)
	}
	write("shims/go", []byte("#!/bin/sh\nexec '"+sdk+"/bin/go' \"$@\"\n"))
	for link, to := range map[string]string{"bin/go": sdk + "/bin/go", "go": sdk} {
		link = filepath.Join(home, link)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	write("secret", nil)

	for name, test := range map[string]struct{ path, goroot string }{
		"in PATH":                   {path: "sdk/go/bin"},
		"by a linked go command":    {path: "bin"},
		"by a linked folder":        {path: "go/bin"},
		"by a script":               {path: "shims"},
		"by a linked GOROOT":        {path: "sdk/go/bin", goroot: "go"},
		"by GOROOT and two links":   {path: "bin", goroot: "go"},
		"by a script, and GOROOT":   {path: "shims", goroot: "go"},
		"by a linked folder, twice": {path: "go/bin", goroot: "sdk/go"},
	} {
		t.Run(name, func(t *testing.T) {
			env := []string{"HOME=" + home, "PATH=" + filepath.Join(home, test.path) + ":/usr/bin:/bin", "GOTOOLCHAIN=local", "GOENV=off", "GOFLAGS="}
			if test.goroot != "" {
				env = append(env, "GOROOT="+filepath.Join(home, test.goroot))
			}
			g, err := gocmd.Read(t.Context(), home, env)
			if err != nil {
				t.Fatal(err)
			}
			s := &session.Session{Env: env}
			r := &Room{layout: layout{t.TempDir()}, source: Source{Plan: &plan.Plan{}}}
			if err := r.furnish(); err != nil {
				t.Fatal(err)
			}
			script := []string{"sh", "-c", `go list -find errors >listed; cat "$0" && echo read >>listed; exit 0`, filepath.Join(home, "secret")}
			inRoom, _ := r.environment(s, g)
			err = r.run(t.Context(), command{
				self: []string{self}, args: script, env: inRoom, dir: r.dir,
				rules: r.rules(s, g, []string{self}), mechanisms: []sandbox.Mechanism{sandbox.Files},
			}, message{})
			if err != nil && strings.Contains(err.Error(), "the kernel ") {
				t.Skip(err)
			}
			listed, readErr := os.ReadFile(filepath.Join(r.dir, "listed"))
			if err != nil || readErr != nil || string(listed) != "errors\n" {
				t.Errorf("it lists %q, %v, %v", listed, err, readErr)
			}
		})
	}
}
