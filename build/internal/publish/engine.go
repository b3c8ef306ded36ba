package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/report"
)

// Engine is a container engine that answers.
type Engine struct {
	// Name is "docker", "podman" or "nerdctl".
	Name string
	// Version is the engine's version, such as "20.10.24"; for Docker that of the daemon.
	Version string

	program string
	env     []string
}

// engines are the supported engines, in order of preference, with a command that prints the
// version and fails if the engine is not running.
var engines = []struct {
	name string
	ask  []string
}{
	{"docker", []string{"version", "--format", "{{.Server.Version}}"}},
	{"podman", []string{"info", "--format", "{{.Version.Version}}"}},
	{"nerdctl", []string{"info", "--format", "{{.ServerVersion}}"}},
}

// patience is the time limit for an engine's answer; a virtual machine needs seconds to wake
// up.
const patience = 15 * time.Second

// FindEngine returns the first of docker, podman and nerdctl that is on the PATH of env and
// answers, or the named engine. Every command of the engine runs with env, as NAME=value. The
// error says how each engine failed.
func FindEngine(ctx context.Context, named string, env []string) (Engine, error) {
	var tried []string
	for _, e := range engines {
		if named != "" && named != e.name {
			continue
		}
		program, err := lookPath(e.name, env)
		if err != nil {
			tried = append(tried, e.name+" is not installed")
			continue
		}
		asked, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %v", patience))
		out, err := process.Output(asked, process.Command{Args: slices.Concat([]string{program}, e.ask),
			Env: env})
		cancel()
		if ctx.Err() != nil {
			return Engine{}, fmt.Errorf("find a container engine: %w", context.Cause(ctx))
		}
		version := strings.TrimSpace(string(out))
		if err == nil && version == "" {
			err = errors.New("no version")
		}
		if err != nil {
			tried = append(tried, fmt.Sprintf("%s does not answer (%s)", e.name, lastLines(reason(err), 1)))
			continue
		}
		return Engine{Name: e.name, Version: version, program: program, env: env}, nil
	}
	if tried == nil {
		return Engine{}, fmt.Errorf(
			"find the container engine %q: the known ones are docker, podman and nerdctl", named)
	}
	return Engine{}, fmt.Errorf("find a container engine: %s; start Docker or Podman",
		strings.Join(tried, "; "))
}

// EngineHosts returns the addresses of the engines that the clients on the PATH of env would
// use, such as unix:///var/run/docker.sock or ssh://user@host. It makes no connection. It omits
// an engine's default address, which is on this machine.
func EngineHosts(ctx context.Context, env []string) ([]string, error) {
	var hosts []string
	if host := lookup(env, "CONTAINER_HOST"); host != "" { // Podman's
		hosts = append(hosts, host)
	}
	if host := lookup(env, "DOCKER_HOST"); host != "" {
		return append(hosts, host), nil
	}
	program, err := lookPath("docker", env)
	if err != nil {
		return hosts, nil
	}
	out, err := process.Output(ctx, process.Command{
		Args: []string{program, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"}, Env: env,
	})
	if ctx.Err() != nil {
		return nil, fmt.Errorf("find a container engine: %w", context.Cause(ctx))
	}
	if host := strings.TrimSpace(string(out)); err == nil &&
		host != "" { // a client without contexts uses the default
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// Load streams the image as a docker archive into the engine, under the names refs, of which
// there must be at least one, and then checks that the engine has it. When ctx ends, it stops
// the engine's client and the client's children, and waits for them.
func (e Engine) Load(ctx context.Context, refs []string, image v1.Image) (report.Loaded, error) {
	loaded := report.Loaded{Engine: e.Name, Version: e.Version}
	err := errors.New("no name to load it under")
	if len(refs) > 0 {
		err = e.load(ctx, refs, image)
	}
	if err == nil {
		loaded.ID, err = e.inspect(ctx, refs[0], image)
	}
	if err != nil {
		return report.Loaded{}, fmt.Errorf("load %s into %s %s: %w", strings.Join(refs, ", "),
			e.Name, e.Version, err)
	}
	return loaded, nil
}

func (e Engine) load(ctx context.Context, refs []string, image v1.Image) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	archive, pipe := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		err := Archive(ctx, pipe, refs, image)
		if err != nil && !errors.Is(err, errStopped) {
			cancel(err) // stop the engine, so that it does not load half an archive
		}
		pipe.CloseWithError(err)
	}()
	var said bytes.Buffer
	err := process.Run(ctx, process.Command{
		Args:   []string{e.program, "load"},
		Env:    e.env,
		Stdin:  archive,
		Stdout: &said,
	})
	// An engine may stop reading before the archive's padding. If it stopped too early, inspect
	// returns an error.
	archive.CloseWithError(errStopped)
	<-written
	if failed := new(process.Error); errors.As(err, &failed) {
		return errors.New(lastLines(said.String()+"\n"+reason(err), 10))
	}
	return err
}

var errStopped = errors.New("the engine has stopped reading")

// inspect returns the ID of the image that the engine has under ref, if it is this image.
func (e Engine) inspect(ctx context.Context, ref string, image v1.Image) (string, error) {
	config, err := image.ConfigName()
	if err != nil {
		return "", err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return "", err
	}
	out, err := process.Output(ctx, process.Command{Args: []string{e.program, "image", "inspect", ref},
		Env: e.env})
	if err != nil {
		return "", fmt.Errorf("it is not there afterwards: %w", err)
	}
	var found []struct {
		ID     string `json:"Id"`
		RootFS struct{ Layers []v1.Hash }
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return "", fmt.Errorf("read the answer of image inspect: %w", err)
	}
	if len(found) != 1 {
		return "", fmt.Errorf("image inspect shows %d images", len(found))
	}
	id := "sha256:" + strings.TrimPrefix(found[0].ID, "sha256:") // Podman omits the prefix
	// If containerd stores the images, the ID is the digest of a manifest that the engine made
	// for the archive, and only the layers can be compared.
	if id != config.String() && !slices.Equal(found[0].RootFS.Layers, file.RootFS.DiffIDs) {
		return "", fmt.Errorf("the engine has %s under that name, not %s", id, config)
	}
	return id, nil
}

// reason returns the end of a process's stderr, else its error.
func reason(err error) string {
	if failed := new(process.Error); errors.As(err, &failed) {
		if failed.Stderr != "" {
			return failed.Stderr
		}
		return failed.Err.Error()
	}
	return err.Error()
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// lookup returns the value of a variable of env; the last one wins.
func lookup(env []string, name string) string {
	for _, e := range slices.Backward(env) {
		if n, value, ok := strings.Cut(e, "="); ok && n == name {
			return value
		}
	}
	return ""
}

// lookPath is exec.LookPath with the PATH of env.
func lookPath(program string, env []string) (string, error) {
	var path string
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if name == "PATH" || runtime.GOOS == "windows" && strings.EqualFold(name, "PATH") {
			path = value
		}
	}
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			continue
		}
		if found, err := exec.LookPath(filepath.Join(folder, program)); err == nil {
			return found, nil
		}
	}
	return "", exec.ErrNotFound
}
