package build_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/sandbox"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// standIn is a go command that first does what a stranger's code would, where it is
// called in a clean room, and writes down what worked.
const standIn = `#!/bin/bash
leak() { echo "$1" >>LOG || { echo "LEAK $1" >&2; exit 77; }; }
if [ "$TZ" = Asia/Kathmandu ]; then
	cat "HOME_OF_USER/.ssh/id_ed25519" >/dev/null && leak read
	echo x >HOME_OF_USER/written && leak write
	(exec 3<>/dev/tcp/ADDRESS) && leak connect
	kill -0 PID && leak signal
fi 2>>$TMPDIR/refused
exec GO "$@"
`

// What a compiler can do that a stranger's source has taken over: nothing where the
// sandbox holds. Where a mechanism is refused, the report says so, and the others hold.
func TestRebuildSandbox(t *testing.T) {
	testtool.OnRequest(t, "a minute or two")
	repo := module(t, "hello")
	released, err := build.Release(t.Context(), options(t, repo, func(o *settings) { o.Platforms = []string{"linux/amd64"} }).release())
	ok(t, err)
	ref := "oci:" + filepath.Join(released.Dist, released.Images[0].Layout)
	want := build.RebuildOptions{VerifyOptions: build.VerifyOptions{Keys: []string{filepath.Join(released.Dist, "verify", "cosign.pub")}}, Mirror: repo}

	for _, test := range []struct {
		refused []sandbox.Mechanism
		leaks   []string
	}{
		{},
		{refused: []sandbox.Mechanism{sandbox.Files, sandbox.Network, sandbox.Processes, sandbox.IPC, sandbox.Calls}, leaks: []string{"connect", "read", "signal", "write"}},
		{refused: []sandbox.Mechanism{sandbox.Files}, leaks: []string{"read", "write"}},
		{refused: []sandbox.Mechanism{sandbox.Network}},
		{refused: []sandbox.Mechanism{sandbox.Calls}},
		{refused: []sandbox.Mechanism{sandbox.IPC}},
		{refused: []sandbox.Mechanism{sandbox.Files, sandbox.Network}, leaks: []string{"read", "write"}},
		{refused: []sandbox.Mechanism{sandbox.Files, sandbox.Network, sandbox.Calls}, leaks: []string{"connect", "read", "write"}},
	} {
		t.Run(fmt.Sprint("without ", test.refused), func(t *testing.T) {
			home := t.TempDir()
			ok(t, os.MkdirAll(filepath.Join(home, ".ssh"), 0o700))
			ok(t, os.WriteFile(filepath.Join(home, ".ssh", "id_ed25519"), []byte("secret"), 0o600))
			server := must(net.Listen("tcp", "127.0.0.1:0"))
			defer server.Close()
			log := filepath.Join(home, "log")
			bin := filepath.Join(home, "bin")
			ok(t, os.Mkdir(bin, 0o755))
			ok(t, os.WriteFile(filepath.Join(bin, "go"), []byte(strings.NewReplacer("LOG", log, "HOME_OF_USER", home, "PID", fmt.Sprint(os.Getpid()),
				"ADDRESS", strings.Replace(server.Addr().String(), ":", "/", 1), "GO", must(exec.LookPath("go"))).Replace(standIn)), 0o755))
			o := stranger(t, func(o *settings) {
				o.Env = append(o.Env, "PATH="+bin+":"+os.Getenv("PATH"), "TZ=UTC")
				build.RefuseSandbox(&o.Options, test.refused...)
			})
			r, err := build.Rebuild(t.Context(), rebuilding(o.Options, want), ref, self(t))
			if err != nil || !r.Same {
				t.Fatalf("%v: %+v", err, r)
			}
			if len(r.Sandbox.Held)+len(r.Sandbox.Refused) != len(sandbox.All) || len(r.Sandbox.Refused) < len(test.refused) {
				t.Errorf("the report says %+v", r.Sandbox)
			}
			var held []sandbox.Mechanism // by this machine
			for _, m := range r.Sandbox.Held {
				held = append(held, sandbox.Mechanism(m))
			}
			for _, m := range test.refused {
				if slices.Contains(held, m) {
					t.Errorf("the report says that %s held", m)
				}
			}
			if len(held)+len(test.refused) < len(sandbox.All) {
				t.Skipf("this machine refuses more: %q", r.Sandbox.Refused)
			}
			b, err := os.ReadFile(log)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			leaks := slices.Compact(slices.Sorted(slices.Values(strings.Fields(string(b)))))
			if !slices.Equal(leaks, test.leaks) {
				t.Errorf("a stranger's code can %q, want %q", leaks, test.leaks)
			}
		})
	}

	want.RequireSandbox = true
	_, err = build.Rebuild(t.Context(), rebuilding(stranger(t, func(o *settings) { build.RefuseSandbox(&o.Options, sandbox.IPC) }).Options, want), ref, self(t))
	refused(t, err, "the sandbox is not complete on this machine", "ipc namespace: refused by a test", "-requireSandbox")
}

// Config.Before of the rebuilder runs where it was asked for, in the sandbox.
func TestRebuildBefore(t *testing.T) {
	testtool.OnRequest(t, "half a minute")
	out := filepath.Join(t.TempDir(), "outside")
	files := map[string]string{
		"go.mod": plain["go.mod"], ".gitignore": "/generated.go\n/dist/\n",
		"main.go":   "package main\n\nfunc main() { println(generated) }\n",
		"before.sh": "echo 'package main\n\nconst generated = \"x\"' >generated.go\n[ \"$TZ\" != Asia/Kathmandu ] || ! echo x >" + out + "\n",
	}
	repo := service(t, files)
	before := func(o *settings) { o.Config.Before = [][]string{{"sh", "before.sh"}} }
	released, err := build.Release(t.Context(), options(t, repo, before, func(o *settings) { o.Platforms, o.AllowDirty = []string{"linux/amd64"}, true }).release())
	ok(t, err)
	ref := "oci:" + filepath.Join(released.Dist, released.Images[0].Layout)
	want := build.RebuildOptions{VerifyOptions: build.VerifyOptions{Keys: []string{filepath.Join(released.Dist, "verify", "cosign.pub")}}, Mirror: repo}
	if _, err := build.Rebuild(t.Context(), rebuilding(stranger(t, before).Options, want), ref, self(t)); err == nil || !strings.Contains(err.Error(), "generated") {
		t.Errorf("without -before: %v", err)
	}
	want.Before = true
	_, err = build.Rebuild(t.Context(), rebuilding(stranger(t).Options, want), ref, self(t))
	refused(t, err, `before the build, ["sh"] ran`, "omit -before")
	r, err := build.Rebuild(t.Context(), rebuilding(stranger(t, before).Options, want), ref, self(t))
	if r == nil || err != nil && !errors.Is(err, build.ErrDiffers) {
		t.Fatalf("with -before: %v", err)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) && slices.Contains(r.Sandbox.Held, string(sandbox.Files)) {
		t.Error("Config.Before writes outside of the clean room")
	}
}
