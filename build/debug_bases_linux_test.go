package build_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// Debug images stand on whatever the service stands on, as its user and with its
// capabilities, and are started by the command that is printed for them.
func TestDebugOnBases(t *testing.T) {
	requireDocker(t)
	dlv := testtool.Tool(t, "github.com/go-delve/delve/cmd/dlv", "v1.27.2", "")
	repo := tickerRepo(t)
	folder, err := layout.Write(filepath.Join(repo, "base"), empty.Index)
	ok(t, err)
	ok(t, folder.AppendImage(baseImage(t, "amd64")))
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a base")
	for name, tc := range map[string]struct {
		config build.ImageConfig
		user   string // and group, as the shell sees them
		run    string // a part of the command
		copy   string // the end of kubectl's
	}{
		"packages of Debian, a user and a capability": {
			config: build.ImageConfig{
				Base: plan.BaseStatic, Users: []build.User{{Name: "web", UID: 1234}}, Runtime: build.Runtime{User: "web"},
				Capabilities: []string{"NET_BIND_SERVICE"},
			},
			user: "web 1234", run: " --cap-add=SYS_PTRACE --user=1234:1234 ",
			copy: " --container=CONTAINER --image=ticker:REF-debug --custom=dist/debug/ticker-debug.json",
		},
		"an image": {
			config: build.ImageConfig{Base: "oci:base"},
			user:   "alice 1000", run: "40000 --user=1000:1000 ", copy: " --set-image=CONTAINER=ticker:REF-debug",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := settings{Load: true, Options: build.Options{
				Config:  build.Config{Debian: build.DebianConfig{Mirror: debiantest.Mirror(t)}, Defaults: tc.config},
				Workdir: repo, Env: environment(), Cache: cacheFolder(t), Platforms: []string{"linux/amd64"},
			}}
			locked := must(build.Lock(t.Context(), o.Options))
			r, err := build.Debug(t.Context(), o.debug(false))
			ok(t, err)
			ref := r.Images[0].Reference
			t.Cleanup(func() { _ = testtool.Command(t, "docker", "image", "rm", "-f", ref).Run() })

			// The plan, which documents hold, names what the image is made of, and no more.
			has := func(l *plan.Lock, base string) bool {
				return len(l.Debian) > 0 && slices.ContainsFunc(l.Debian[0].Selections, func(s plan.DebianSelection) bool { return s.Base == base })
			}
			if l := r.Plan.Lock; !has(l, plan.BaseDebian) || has(l, plan.BaseStatic) != (tc.config.Base == plan.BaseStatic) || len(l.Images) != len(locked.Lock.Images) {
				t.Errorf("the plan's lock is %+v", l)
			}

			checkCommands(t, dlv, r)
			command := func(purpose string) string {
				at := slices.IndexFunc(r.Instructions, func(i report.Instruction) bool { return i.Purpose == purpose })
				if at < 0 {
					t.Fatalf("nothing is printed to %s", purpose)
				}
				return r.Instructions[at].Command
			}
			run := command("run the service")
			if !strings.Contains(run, tc.run) {
				t.Errorf("to run it: %s, want %q in it", run, tc.run)
			}
			_, version, _ := strings.Cut(strings.TrimSuffix(ref, "-debug"), ":")
			if got := command("run it in place of a container of a pod"); !strings.HasSuffix(got, strings.ReplaceAll(tc.copy, "REF", version)) {
				t.Errorf("in a cluster: %s, want %q at its end", got, tc.copy)
			}
			args := strings.Fields(strings.Replace(strings.TrimPrefix(run, "docker run --rm "), "-p 127.0.0.1:40000:40000", "-p 127.0.0.1::40000", 1))
			c := startContainer(t, args...)
			if out := docker(t, "exec", c, "sh", "-c", "echo $(id -un) $(id -u)"); strings.TrimSpace(out) != tc.user {
				t.Errorf("the shell is %q's, want %q", out, tc.user)
			}
			said := client(t, dlv, c, "tick", "break main.tick", "continue", "print n", "print answer", "clearall", "exit -c")
			if !regexp.MustCompile(`(?m)^1[0-9]{3}$`).MatchString(said) || !strings.Contains(said, "\n42\n") {
				t.Errorf("the client says\n%s", said)
			}
			stillTicks(t, c)
			if len(tc.config.Capabilities) > 0 {
				spec := must(os.ReadFile(filepath.Join(r.Dist, "debug", "ticker-debug.json")))
				if got, want := bytes.Join(bytes.Fields(spec), nil), `{"securityContext":{"capabilities":{"add":["DAC_OVERRIDE","NET_BIND_SERVICE","SYS_PTRACE"]}}}`; string(got) != want {
					t.Errorf("the specification is %s, want %s", got, want)
				}
			}
		})
	}
}
