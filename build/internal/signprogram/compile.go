package signprogram

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/internal/secret"
)

// Tag is the build tag of the signing code.
const Tag = "thimble_sign"

// mainFile is added to the package by an overlay, so nothing is written into its folder. Mage's
// main is not needed, because the target comes through a pipe.
const (
	mainFile = "thimble_sign_main.go"
	mainText = `package main

import (
	"os"

	"github.com/thimble-build/thimble/build/targets"
)

func main() { os.Exit(targets.Signing()) }
`
)

// compiler compiles the program of one folder.
type compiler struct {
	magefiles
	program string
	info    *debug.BuildInfo
	env     []string
}

// open returns the compiler for the running program. env is the environment with its secrets, of
// which moduleEnv lists those that the go command needs to fetch modules.
func open(self string, env, moduleEnv []string, offline bool) (*compiler, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, errors.New("this program does not say how it was compiled")
	}
	from, err := find(self)
	if errors.Is(err, errUnknown) {
		from, err = generate(info)
	}
	if err != nil {
		return nil, err
	}
	c := &compiler{magefiles: from, info: info, program: strings.TrimSuffix(self, ".exe") + "-sign"}
	if runtime.GOOS == "windows" {
		c.program += ".exe"
	}
	env, secrets := secret.Split(env)
	c.env = append(env, secret.Select(secrets, moduleEnv)...)
	for _, e := range secrets {
		if name, _, _ := strings.Cut(e, "="); secret.IsWire(name) && !offline {
			c.env = append(c.env, e)
		}
	}
	if offline {
		c.env = append(c.env, "GOPROXY=off")
	}
	c.env = append(c.env, "CGO_ENABLED="+c.setting("CGO_ENABLED"), "PWD="+c.dir)
	if from.launched || from.generated { // as the launcher has it
		flags := ""
		if from.generated {
			flags = "-mod=mod" // the go command adds what the kit requires
		}
		if slices.ContainsFunc(env, func(e string) bool {
			return strings.HasPrefix(e, "GOFLAGS=") && strings.Contains(e, "-modcacherw")
		}) {
			flags = strings.TrimSpace(flags + " -modcacherw")
		}
		c.env = append(c.env, "GOWORK=off", "GO111MODULE=on", "GOFLAGS="+flags)
	}
	return c, nil
}

// setting returns how the running program was compiled.
func (c *compiler) setting(name string) string {
	for _, s := range c.info.Settings {
		if s.Key == name {
			return s.Value
		}
	}
	return ""
}

// flags returns those for go list and go build. They are the running program's, so that the go
// command finds the packages of that program in its cache.
func (c *compiler) flags(overlay string) []string {
	tags := Tag
	if own := c.setting("-tags"); own != "" {
		tags += "," + own
	}
	flags := []string{"-tags=" + tags, "-buildvcs=false"}
	if overlay != "" {
		flags = append(flags, "-overlay="+overlay)
	}
	if c.setting("-trimpath") == "true" {
		flags = append(flags, "-trimpath")
	}
	return flags
}

func (c *compiler) goCommand(args ...string) process.Command {
	program := "go"
	for _, e := range c.env {
		if name, ok := strings.CutPrefix(e, "MAGEFILE_GOCMD="); ok && name != "" {
			program = name
		}
	}
	return process.Command{Args: append([]string{program}, args...), Dir: c.dir, Env: c.env}
}

// compile makes the program, if it is not up to date. Only one process does it at a time; unlock
// is called when the program has started.
func (c *compiler) compile(ctx context.Context,
	started func(count *Count) (ended func(error))) (unlock func(), err error) {
	lock := flock.New(c.program + ".lock")
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return nil, fmt.Errorf("lock %s: %w", c.program, cmp.Or(context.Cause(ctx), err))
	}
	release := func() { _ = lock.Close() }
	defer func() {
		if err != nil {
			release()
		}
	}()
	key, err := c.key()
	if err != nil {
		return nil, err
	}
	if was, err := os.ReadFile(c.program + ".key"); err == nil && key != "" && string(was) == key {
		if _, err := os.Stat(c.program); err == nil {
			return release, nil
		}
	}
	ended := func(error) {}
	count := &Count{}
	count.first = func() { ended = started(count) }
	err = c.build(ctx, count)
	ended(err)
	if err != nil {
		return nil, err
	}
	return release, os.WriteFile(c.program+".key", []byte(key), 0o644)
}

func (c *compiler) build(ctx context.Context, count *Count) error {
	temp, err := os.MkdirTemp("", "thimble-sign")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(c.dir,
		mainFile): filepath.Join(temp, mainFile)}})
	if err != nil {
		return err
	}
	overlay := filepath.Join(temp, "overlay.json")
	if err := errors.Join(os.WriteFile(filepath.Join(temp, mainFile), []byte(mainText), 0o600),
		os.WriteFile(overlay, text, 0o600)); err != nil {
		return err
	}
	files, err := c.files(ctx)
	if err != nil {
		return err
	}
	files = append(files, mainFile)
	defer count.listing(ctx, c.goCommand(slices.Concat([]string{"list", "-e", "-deps",
		"-f={{if .Stale}}{{.ImportPath}}{{end}}"}, c.flags(overlay), files)...))()
	build := c.goCommand(slices.Concat([]string{"build", "-v", "-ldflags=-w", "-o", c.program},
		c.flags(overlay), files)...)
	var said bytes.Buffer
	build.Stderr = count.reading(&said)
	if err := process.Run(ctx, build); err != nil {
		if text := strings.TrimSpace(said.String()); text != "" && ctx.Err() == nil {
			return errors.New(text)
		}
		return err
	}
	return nil
}

// files returns the files of the package as mage chooses them: all of a folder magefiles, and
// elsewhere those that only the tag mage includes.
func (c *compiler) files(ctx context.Context) ([]string, error) {
	list := func(tags string) ([]string, error) {
		out, err := process.Output(ctx, c.goCommand("list", "-e", "-tags="+tags,
			"-f={{range .GoFiles}}{{println .}}{{end}}{{range .CgoFiles}}{{println .}}{{end}}", "."))
		return strings.Fields(string(out)), err
	}
	all, err := list("mage," + Tag)
	if err != nil || filepath.Base(c.dir) == "magefiles" {
		return all, err
	}
	others, err := list(Tag)
	return slices.DeleteFunc(all, func(name string) bool { return slices.Contains(others, name) }), err
}
