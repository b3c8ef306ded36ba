//go:build unix

package publish_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/publish"
)

// The real engines are in docker_engine_test.go. Here are engines that fail in ways
// to which real ones cannot be brought on demand.

// fakes puts programs of these names and shell bodies on a PATH of their own.
func fakes(t testing.TB, bodies map[string]string) []string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range bodies {
		ok(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+body), 0o755))
	}
	return []string{"PATH=" + dir}
}

const (
	silent  = "echo 'Cannot connect to the daemon' >&2; exit 1"
	answers = `case "$1" in version|info) echo 1.2.3 ;; `
)

func TestFindEngine(t *testing.T) {
	ctx := context.Background()
	for name, test := range map[string]struct {
		bodies map[string]string
		named  string
		want   string // else the error's parts
		says   []string
	}{
		"docker first":    {map[string]string{"docker": answers + "esac", "podman": answers + "esac"}, "", "docker", nil},
		"first to answer": {map[string]string{"docker": silent, "podman": answers + "esac"}, "", "podman", nil},
		"last":            {map[string]string{"nerdctl": answers + "esac"}, "", "nerdctl", nil},
		"named":           {map[string]string{"docker": answers + "esac", "podman": answers + "esac"}, "podman", "podman", nil},
		"named and silent": {map[string]string{"docker": answers + "esac", "podman": silent}, "podman", "", []string{
			"podman does not answer (Cannot connect to the daemon)", "start Docker or Podman"}},
		"no version": {map[string]string{"docker": "exit 0"}, "", "", []string{"docker does not answer (no version)"}},
		"none": {map[string]string{"docker": silent}, "", "", []string{
			"docker does not answer (Cannot connect to the daemon)", "podman is not installed", "nerdctl is not installed",
			"start Docker or Podman"}},
		"unknown": {nil, "rkt", "", []string{`"rkt"`, "docker, podman and nerdctl"}},
	} {
		t.Run(name, func(t *testing.T) {
			engine, err := publish.FindEngine(ctx, test.named, fakes(t, test.bodies))
			if test.want != "" {
				if err != nil || engine.Name != test.want || engine.Version != "1.2.3" {
					t.Errorf("engine is %+v, %v; want %s", engine, err, test.want)
				}
				return
			}
			if err == nil {
				t.Fatalf("engine is %+v", engine)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has several lines", err)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	ctx := context.Background()
	image := imageOf(linux, layerOf("app", make([]byte, 1<<20)), layerOf("big", noise(4<<20)))
	find := func(t *testing.T, body string) publish.Engine {
		t.Helper()
		engine, err := publish.FindEngine(ctx, "", fakes(t, map[string]string{"docker": answers + body + " esac"}))
		ok(t, err)
		return engine
	}
	for name, test := range map[string]struct{ body, says string }{
		"fails half way":       {`load) head -c 100000 >/dev/null; echo one >&2; echo 'no space left on device' >&2; exit 1 ;;`, "one\nno space left on device"},
		"speaks on stdout":     {`load) head -c 10 >/dev/null; echo 'it broke'; exit 3 ;;`, "it broke"},
		"says nothing":         {`load) exit 4 ;;`, "exit status 4"},
		"does not read":        {`load) exit 0 ;; image) echo 'No such image' >&2; exit 1 ;;`, "No such image"},
		"has another image":    {`load) cat >/dev/null ;; image) echo '[{"Id": "sha256:0", "RootFS": {"Layers": []}}]' ;;`, "the engine has sha256:0"},
		"answers with no JSON": {`load) cat >/dev/null ;; image) echo hello ;;`, "answer of image inspect"},
		"is killed":            {`load) kill -9 $$ ;;`, "signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := find(t, test.body).Load(ctx, []string{"api:v1"}, image)
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.HasPrefix(err.Error(), "load api:v1 into docker 1.2.3: ") {
				t.Errorf("error is %v, want %q", err, test.says)
			}
		})
	}

	t.Run("the image cannot be read", func(t *testing.T) {
		loaded := filepath.Join(t.TempDir(), "loaded")
		engine := find(t, `load) cat >/dev/null && touch `+loaded+` ;;`)
		broken := inCache(t.TempDir(), layerOf("app", []byte("x")))
		ok(t, os.Remove(broken.(cached).file))
		_, err := engine.Load(ctx, []string{"api:v1"}, imageOf(linux, unreadable{broken}))
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("no name", func(t *testing.T) {
		if _, err := find(t, "").Load(ctx, nil, image); err == nil {
			t.Error("loaded an image without a name")
		}
	})
}

// When the context ends, nothing that the engine started is left.
func TestLoadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	pid := filepath.Join(t.TempDir(), "pid")
	engine, err := publish.FindEngine(ctx, "", fakes(t, map[string]string{
		"docker": answers + `load) sleep 1000 & echo $! > ` + pid + `.new; mv ` + pid + `.new ` + pid + `; wait ;; esac`,
	}))
	ok(t, err)
	go func() {
		for {
			if _, err := os.Stat(pid); err == nil {
				cancel(stop)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	if _, err := engine.Load(ctx, []string{"api:v1"}, imageOf(linux, layerOf("big", noise(4<<20)))); !errors.Is(err, stop) {
		t.Errorf("error is %v", err)
	}
	child := must(strconv.Atoi(strings.TrimSpace(string(must(os.ReadFile(pid))))))
	for end := time.Now().Add(10 * time.Second); syscall.Kill(child, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if state, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat"); err == nil && strings.Contains(string(state), ") Z ") {
			break // dead, and not collected by whoever adopted it
		}
		if time.Now().After(end) {
			t.Fatalf("the engine's child %d still runs", child)
		}
	}
}
