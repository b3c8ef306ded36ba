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

// Job is a build that package build is asked for.
type Job struct {
	Config plan.Config
	// Workdir and Cache are absolute paths.
	Workdir, Cache string
	// Env is the environment; that of the process if nil.
	Env       []string
	Platforms []string
	Offline   bool
	// FromPlan says that the Config is that of a plan, whose linker flags are final.
	FromPlan bool
	// Memory is the limit in bytes, 0 for none, which a sandbox hides.
	Memory int64
}

// message is what a process in a clean room is told.
type message struct {
	Job Job
	// Result is the file that the result is written to.
	Result string
	// Trial, if any, is done instead of the Job.
	Trial *sandbox.Trial
	// Sandbox is what keeps the process from the rest of the machine.
	Sandbox confinement
}

// confinement is a program that is executed in a sandbox: Self is this program, which starts
// itself in new namespaces, and Args what it executes there.
type confinement struct {
	Self, Args []string
	Dir        string
	Rules      sandbox.Rules
	Mechanisms []sandbox.Mechanism
}

// entrance is what the process in new namespaces is told: Message is the file of what it
// works on once it is in the sandbox.
type entrance struct {
	Message string
	Args    []string
	Entry   sandbox.Entry
}

// result is what a process in a clean room found out.
type result struct {
	// Unclean are the files that the commit does not have, as git.Repo's Unclean has them.
	Unclean []string
}

// These go before the file's name in the room's variable: confining where this process is to
// start another one in new namespaces, and entering in that one. The first process cannot
// start it: while it holds secrets, the system lets it write no map of users.
const (
	confining = "confine:"
	entering  = "enter:"
)

// Asked says whether this process was started to work in a clean room, and on what: that is
// for Enter.
func Asked() (job string, ok bool) {
	job = os.Getenv(session.RoomVariable)
	return job, job != ""
}

// Enter does what a clean room asks of this process, in this process's own environment. build
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
	// What is started from here is in no room of its own.
	if err := os.Unsetenv(session.RoomVariable); err != nil {
		return err
	}
	if m.Trial != nil {
		return m.Trial.Run()
	}
	if err := build(ctx, m.Job); err != nil {
		return err
	}
	// Whoever started this asks nothing of the clone: its configuration may have changed.
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

// childError is what a child said, below our own words.
func childError(doing string, err error) error {
	if failed := new(process.Error); errors.As(err, &failed) && failed.Stderr != "" {
		return fmt.Errorf("%s: %s", doing, said(failed))
	}
	return err
}

// said is what a child of this program wrote.
func said(failed *process.Error) string { return strings.TrimPrefix(failed.Stderr, "thimble: ") }
