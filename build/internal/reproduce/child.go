package reproduce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/internal/sandbox"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Job is a build that package build must run.
type Job struct {
	Config plan.Config
	// Workdir and Cache are absolute paths.
	Workdir, Cache string
	// Env is the environment; that of the process if nil.
	Env       []string
	Platforms []string
	Offline   bool
	// FromPlan says that the Config is that of a plan, with final linker flags.
	FromPlan bool
	// Memory is the limit in bytes, 0 for none; the sandbox hides the real limit.
	Memory int64
}

// message tells a process in a clean room what to do.
type message struct {
	Job Job
	// Result is the file for the result.
	Result string
	// Trial, if any, is run instead of the Job.
	Trial *sandbox.Trial
	// Sandbox isolates the process from the rest of the machine.
	Sandbox confinement
}

// confinement is a program to execute in a sandbox: Self is this program, which starts itself
// in new namespaces, and Args is what it executes there.
type confinement struct {
	Self, Args []string
	Dir        string
	Rules      sandbox.Rules
	Mechanisms []sandbox.Mechanism
}

// entrance tells the process in new namespaces what to do: Message is the file with its work
// once it is in the sandbox.
type entrance struct {
	Message string
	Args    []string
	Entry   sandbox.Entry
}

// result is the result of a process in a clean room.
type result struct {
	// Unclean are the files that are not in the commit, as returned by git.Repo's Unclean.
	Unclean []string
}

// These are prefixes of the file's name in the room's variable: confining if this process must
// start another one in new namespaces, and entering in that one. The first process cannot start
// it: while it has secrets, the system does not let it write a user map.
const (
	confining = "confine:"
	entering  = "enter:"
)

// Asked reports whether this process was started to work in a clean room. job is the argument
// of Enter.
func Asked() (job string, ok bool) {
	job = os.Getenv(session.RoomVariable)
	return job, job != ""
}

// Enter does the work of a clean room in this process, with this process's environment. build
// makes the images of a Job.
func Enter(ctx context.Context, job string, build func(context.Context, Job) error) error {
	if file, ok := strings.CutPrefix(job, entering); ok {
		var in entrance
		if err := readJSON(file, &in); err != nil {
			return err
		}
		if err := os.Setenv(session.RoomVariable, in.Message); err != nil {
			return err
		}
		return sandbox.Enter(in.Entry, in.Args, os.Environ())
	}
	file, confined := strings.CutPrefix(job, confining)
	var m message
	if err := readJSON(file, &m); err != nil {
		return err
	}
	if confined {
		return m.Sandbox.start(ctx, file)
	}
	// Processes that start from here must not see the room's variable.
	if err := os.Unsetenv(session.RoomVariable); err != nil {
		return err
	}
	if m.Trial != nil {
		return m.Trial.Run()
	}
	if err := build(ctx, m.Job); err != nil {
		return err
	}
	// The parent process does not run git in the clone: its configuration may have changed.
	repo, err := git.Open(m.Job.Workdir, os.Environ())
	if err != nil {
		return err
	}
	unclean, err := repo.Unclean(ctx)
	if err != nil {
		return err
	}
	return writeJSON(m.Result, result{Unclean: unclean})
}

func readJSON(file string, to any) error {
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		return fmt.Errorf("read what to build: %w", err)
	}
	return nil
}

func writeJSON(file string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}

// childError returns a child's error below a line of thimble.
func childError(doing string, err error) error {
	if failed := new(process.Error); errors.As(err, &failed) && failed.Stderr != "" {
		return fmt.Errorf("%s: %s", doing, said(failed))
	}
	return err
}

// said returns what a child of this program wrote.
func said(failed *process.Error) string { return strings.TrimPrefix(failed.Stderr, "thimble: ") }
