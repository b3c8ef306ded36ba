// Package container runs an image of a container engine as production should run it: with a
// read-only root file system, without capabilities and new privileges, and with its ports on
// loopback only. It takes the engine's client and a [Spec], and returns a [Container]. It knows
// the command line that docker, podman and nerdctl share, and nothing about how an image is made.
//
// [Create] makes a container, Start runs it, Stop ends it, and Remove leaves nothing behind,
// whatever happened before. A context never interrupts a command of the engine, because an
// interrupted command could leave a container that nobody knows: the commands have time limits.
package container

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/internal/process"
)

// Engine is the command-line client of a container engine.
type Engine struct {
	// Name is "docker", "podman" or "nerdctl". Program is the client's path.
	Name, Program string
	// Env is the client's environment.
	Env []string
}

// commandLimit is the time limit for one command of the engine; gone is the time within which a
// removed container disappears.
const (
	commandLimit = 30 * time.Second
	gone         = 10 * time.Second
)

// output runs a command of the engine to its end, and returns its output.
func (e Engine) output(args ...string) (string, error) {
	late := fmt.Errorf("no answer within %v", commandLimit)
	ctx, cancel := context.WithTimeoutCause(context.Background(), commandLimit, late)
	defer cancel()
	out, err := process.Output(ctx, process.Command{Args: append([]string{e.Program}, args...), Env: e.Env})
	return strings.TrimSpace(string(out)), err
}

// Container is a container that was created. Its methods are for one goroutine, except Done.
type Container struct {
	engine Engine
	name   string
	ports  []Port

	// running is nil until Start.
	running *client
}

// client is the engine's client that is attached to a running container.
type client struct {
	kill context.CancelFunc
	done chan struct{}
	// err and lost are set when done is closed. lost says that the client ended before the
	// container.
	err  error
	lost bool
}

// Create makes a container. The caller must call Remove.
func Create(ctx context.Context, e Engine, s Spec) (*Container, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	random := make([]byte, 4)
	_, _ = rand.Read(random) // it never fails
	c := &Container{engine: e, name: "thimble-run-" + hex.EncodeToString(random), ports: s.Ports}
	creating := e
	creating.Env = slices.Concat(e.Env, s.Secrets)
	if _, err := creating.output(s.createArgs(e.Name, c.name)...); err != nil {
		return nil, errors.Join(fmt.Errorf("create a container of %s: %w", s.Image, err), c.Remove())
	}
	return c, nil
}

// Start starts the container. Its output goes to the writers, each of which may be nil.
func (c *Container) Start(stdout, stderr io.Writer) {
	ctx, kill := context.WithCancel(context.Background())
	running := &client{kill: kill, done: make(chan struct{})}
	c.running = running
	go func() {
		defer close(running.done)
		defer kill()
		said := &ending{to: stderr}
		err := process.Run(ctx, process.Command{
			Args: []string{c.engine.Program, "start", "--attach", c.name}, Env: c.engine.Env,
			Stdout: stdout, Stderr: said,
		})
		running.err, running.lost = c.engine.outcome(err, string(said.last))
	}()
}

// Running waits until the container runs or has ended.
func (c *Container) Running() {
	// To ask takes a process and time, which starting needs itself.
	began := time.Now()
	for pause := 200 * time.Millisecond; time.Since(began) < commandLimit; pause = 50 * time.Millisecond {
		select {
		case <-c.running.done:
			return
		case <-time.After(pause):
		}
		said, err := c.engine.output("container", "inspect", "--format={{.State.Running}}", c.name)
		if err == nil && said == "true" {
			return
		}
	}
}

// Done is closed when the container has ended. It is nil before Start.
func (c *Container) Done() <-chan struct{} {
	if c.running == nil {
		return nil
	}
	return c.running.done
}

// HasEnded reports whether Done is closed.
func (c *Container) HasEnded() bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// Err returns how the container ended, once Done is closed: nil for status 0, an *ExitError for
// any other, else what the engine says.
func (c *Container) Err() error { return c.running.err }

// Wait waits for the end of the container, or stops it when ctx ends, and returns how it ended.
func (c *Container) Wait(ctx context.Context, grace time.Duration) error {
	select {
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		return c.Stop(grace)
	}
}

// Stop sends the image's stop signal, kills the container if it still runs after grace (at least
// a second), and returns how it ended.
func (c *Container) Stop(grace time.Duration) error {
	if c.running == nil {
		return nil
	}
	seconds := max(1, int(grace.Seconds()))
	for began := time.Now(); ; {
		select {
		case <-c.running.done:
			if c.running.lost {
				_, err := c.engine.output("stop", "-t", strconv.Itoa(seconds), c.name)
				return errors.Join(c.running.err, ifThere(err))
			}
			return c.running.err
		default:
		}
		_, err := c.engine.output("stop", "-t", strconv.Itoa(seconds), c.name)
		select {
		case <-c.running.done:
			if exit := (*ExitError)(nil); errors.As(c.running.err, &exit) && exit.Status == killed {
				return fmt.Errorf("it did not stop within %d s and was killed: %w", seconds, c.running.err)
			}
		case <-time.After(100 * time.Millisecond):
			// The client may not have started it yet: then the engine had nothing to stop.
			if time.Since(began) > grace+2*time.Second {
				return fmt.Errorf("stop container %s: %w", c.name,
					cmp.Or(err, errors.New("it does not stop")))
			}
		}
	}
}

// killed is the exit status after SIGKILL.
const killed = 128 + 9

// Remove ends and removes the container, whatever its state is, and waits until it and the
// client are gone.
func (c *Container) Remove() error {
	err := c.remove()
	if c.running == nil {
		return err
	}
	select {
	case <-c.running.done:
	case <-time.After(2 * time.Second):
		c.running.kill()
		<-c.running.done
	}
	return err
}

func (c *Container) remove() error {
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		left, err := c.engine.output("ps", "--all", "--quiet", "--filter", "name="+c.name)
		if err == nil && left == "" {
			return nil
		}
		_, removeErr := c.engine.output("rm", "--force", "--volumes", c.name)
		if time.Since(began) > gone {
			err = cmp.Or(ifThere(removeErr), err, errors.New("it still exists"))
			return fmt.Errorf("remove container %s: %w", c.name, err)
		}
	}
}

// ifThere returns nil for the error of a command whose container does not exist any more.
func ifThere(err error) error {
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "no such container") {
		return nil
	}
	return err
}

// ExitError is the error of a service that ended with another status than 0.
type ExitError struct{ Status int }

func (e *ExitError) Error() string { return fmt.Sprintf("it ended with status %d", e.Status) }

// ExitStatus returns the status, which mage then exits with.
func (e *ExitError) ExitStatus() int { return e.Status }

// outcome returns how a container ended, from the error of the attached client and the end of
// what client and service wrote to stderr. lost says that the container may still run.
func (e Engine) outcome(err error, said string) (result error, lost bool) {
	if err == nil {
		return nil, false
	}
	exit := (*exec.ExitError)(nil)
	switch {
	case !errors.As(err, &exit):
		return err, true
	case exit.ExitCode() < 0: // a signal ended it
		return fmt.Errorf("%s start: %w", e.Name, exit), true
	}
	said = strings.TrimSpace(said)
	last := said[strings.LastIndexByte(said, '\n')+1:]
	if exit.ExitCode() == engineFailed || exit.ExitCode() == 1 && e.isOwn(last) {
		return fmt.Errorf("%s start: %s", e.Name, last), false
	}
	result = &ExitError{exit.ExitCode()}
	if strings.Contains(last, "exec format error") {
		result = fmt.Errorf("%w: the image is not for the architecture of %s's machine", result, e.Name)
	}
	return result, false
}

// engineFailed is the exit status of a client whose engine failed (docker-run(1), "Exit Status").
const engineFailed = 125

// isOwn reports whether a line is an error of the engine, not of the service.
func (e Engine) isOwn(line string) bool {
	switch e.Name {
	case "podman":
		return strings.HasPrefix(line, "Error: ")
	case "nerdctl":
		return strings.Contains(line, "level=fatal")
	}
	return strings.HasPrefix(line, "Error response from daemon: ") ||
		strings.HasPrefix(line, "Error: failed to start containers")
}

// ending passes on what is written to it, and keeps the end.
type ending struct {
	to   io.Writer
	last []byte
}

func (e *ending) Write(p []byte) (int, error) {
	const most = 2 << 10
	e.last = append(e.last, p...)
	if over := len(e.last) - most; over > 0 {
		e.last = append(e.last[:0], e.last[over:]...)
	}
	if e.to == nil {
		return len(p), nil
	}
	return e.to.Write(p)
}
