// Package process runs child processes so that none outlives the run: a child leads a process
// group, and when the context ends the whole group is first asked to stop and then killed. It
// takes a command and returns its output; it reads no configuration and prints nothing.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// grace is the time for a group to clean up after it was asked to stop. It is enough for the go
// command to remove its work folder; mage itself waits five seconds.
const grace = 3 * time.Second

// Command is a child process to run.
type Command struct {
	// Args is the program, looked up on the PATH of this process if it has no slash, and its
	// arguments.
	Args []string
	// Dir is the working directory.
	Dir string
	// Env is the whole environment.
	Env []string
	// Prepare, if not nil, changes the child before it starts, and returns a function that is
	// called after it has started or failed to start.
	Prepare func(*exec.Cmd) (started func(), err error)
	// Stdin, Stdout and Stderr may be nil: no input, and output that is kept for the error.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Confined keeps the child, and all that it starts, from reading the memory and the
	// environment of any process outside, if the system supports that: Linux with Landlock, and
	// not for root.
	Confined bool
}

// Error is the error of a child that ran and failed.
type Error struct {
	Args []string
	// Stderr is the end of the child's output on stderr, without the final newline, if
	// Command.Stderr was nil.
	Stderr string
	// Err is the cause, usually an *exec.ExitError.
	Err error
}

// Error returns the command and the last lines of its output.
func (e *Error) Error() string {
	name := filepath.Base(e.Args[0])
	if len(e.Args) > 1 {
		name += " " + e.Args[1]
	}
	if e.Stderr != "" {
		return fmt.Sprintf("%s: %s", name, e.Stderr)
	}
	return fmt.Sprintf("%s: %v", name, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Run runs the command and waits for it and for all processes that it started. If ctx ends first,
// the error is the context's cause. A child that fails is an *Error.
func Run(ctx context.Context, c Command) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if !c.Confined {
		return run(ctx, c)
	}
	var err error
	onThread(func() {
		if err = confine(); err != nil {
			err = &Error{Args: c.Args, Err: fmt.Errorf("protect the secrets of other processes from it: %w",
				err)}
			return
		}
		err = run(ctx, c)
	})
	return err
}

func run(ctx context.Context, c Command) error {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.Stdin, cmd.Stdout = c.Stdin, c.Stdout
	kept := &tail{max: 64 << 10}
	cmd.Stderr = c.Stderr
	if cmd.Stderr == nil {
		cmd.Stderr = kept
	}
	cmd.WaitDelay = grace
	ownGroup(cmd)
	started := func() {}
	if c.Prepare != nil {
		var err error
		if started, err = c.Prepare(cmd); err != nil {
			return &Error{Args: c.Args, Err: err}
		}
	}
	err := start(cmd)
	started()
	if err != nil {
		return &Error{Args: c.Args, Err: err}
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		killGroup(cmd)
		return context.Cause(ctx)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		killGroup(cmd) // the child succeeded and left processes behind
		err = nil
	}
	if err != nil {
		return &Error{Args: c.Args, Stderr: strings.TrimSpace(kept.String()), Err: err}
	}
	return nil
}

// Output runs the command and returns what it wrote to stdout.
func Output(ctx context.Context, c Command) ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := Run(ctx, c)
	return out.Bytes(), err
}

// tail keeps the last max bytes that are written to it.
type tail struct {
	max int
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.buf) }
