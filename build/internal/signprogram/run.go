package signprogram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/internal/secret"
	"github.com/thimble-build/thimble/build/plan"
)

// Job is a target to run.
type Job struct {
	Target string
	// Args are its parameters, each as JSON.
	Args   []json.RawMessage
	Config plan.Config
}

// Outcome is how a target ended.
type Outcome struct {
	// Error is its message; "" if it succeeded. Code is the exit code then, 0 for the usual one.
	Error string
	Code  int
}

// Options are those of [Run].
type Options struct {
	// Env is the whole environment, with secrets. ModuleEnv lists those of them that the go
	// command gets, as Config.ModuleEnv.
	Env, ModuleEnv []string
	Offline        bool
	// Compile is called if the go command has something to compile; the returned function when that
	// ends.
	Compile func(count *Count) (ended func(error))
	// Start is called before the program runs: it now has the terminal.
	Start func()
	// Signal returns the signal that stops the program when the context has ended.
	Signal func() os.Signal
}

// Run compiles the program, if it is not up to date, and runs a target in it. An error says that it
// could not run.
func Run(ctx context.Context, o Options, job Job) (Outcome, error) {
	self, err := os.Executable()
	if err != nil {
		return Outcome{}, fmt.Errorf("find this program: %w", err)
	}
	c, err := open(self, o.Env, o.ModuleEnv, o.Offline)
	if err != nil {
		return Outcome{}, fmt.Errorf("compile the code that signs and verifies: %w", err)
	}
	unlock, err := c.compile(ctx, o.Compile)
	if err != nil { // what the go command advises to do is for that folder
		return Outcome{}, fmt.Errorf("compile the code that signs and verifies, in %s: %w", c.shown(), err)
	}
	message, err := json.Marshal(job)
	if err != nil {
		unlock()
		return Outcome{}, err
	}
	o.Start()
	outcome, err := c.start(ctx, o, message, unlock)
	if err != nil {
		return outcome, fmt.Errorf("run %s: %w", c.program, err)
	}
	return outcome, nil
}

// start runs the program with a job, and returns its outcome.
func (c *compiler) start(ctx context.Context, o Options, job []byte, unlock func()) (out Outcome, err error) {
	defer unlock() // again does no harm
	var pipes pipes
	defer func() { err = errors.Join(err, pipes.close()) }()
	in, result := pipes.to(job), pipes.from()
	env, secrets := secret.Split(o.Env)
	names := []string{Variable}
	inherited := []*os.File{in, result.w}
	if len(secrets) > 0 {
		names = append(names, secret.Variable)
		inherited = append(inherited, pipes.to(secret.Message(secrets)))
	}
	if pipes.err != nil {
		return out, pipes.err
	}
	err = process.Run(ctx, process.Command{
		Args: []string{c.program}, Env: env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Prepare: func(cmd *exec.Cmd) (func(), error) {
			sameTerminal(cmd)
			cmd.Cancel = func() error { return cmd.Process.Signal(o.Signal()) }
			numbers := inherit(cmd, inherited)
			cmd.Env = append(cmd.Env, Variable+"="+numbers[0]+","+numbers[1])
			for i, name := range names[1:] {
				cmd.Env = append(cmd.Env, name+"="+numbers[2+i])
			}
			return func() {
				unlock()
				pipes.started(inherited)
			}, nil
		},
	})
	text, readErr := io.ReadAll(io.LimitReader(result.r, 1<<20))
	if readErr != nil || len(text) == 0 {
		return out, errors.Join(err, readErr)
	}
	return out, json.Unmarshal(text, &out)
}

// Variable names the descriptors of the job and of its outcome.
const Variable = "THIMBLE_SIGN"

// Receive returns the job of this process, if it was started by [Run], and the function that
// returns the outcome.
func Receive() (job Job, done func(Outcome) error, err error) {
	text, ok := os.LookupEnv(Variable)
	if !ok {
		return job, nil, errors.New(
			"this program is only for thimble's targets; run the targets of the magefile instead")
	}
	if err := os.Unsetenv(Variable); err != nil {
		return job, nil, err
	}
	first, second, _ := strings.Cut(text, ",")
	in, err := inheritedFile(first)
	if err != nil {
		return job, nil, err
	}
	out, err := inheritedFile(second)
	if err != nil {
		return job, nil, err
	}
	message, err := io.ReadAll(in)
	if err == nil {
		err = json.Unmarshal(message, &job)
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return job, nil, fmt.Errorf("read what to do: %w", err)
	}
	return job, func(o Outcome) error {
		text, err := json.Marshal(o)
		if err == nil {
			_, err = out.Write(text)
		}
		return errors.Join(err, out.Close())
	}, nil
}
