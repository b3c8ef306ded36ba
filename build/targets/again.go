package targets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"strings"

	"github.com/magefile/mage/mg"

	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/internal/signprogram"
)

// call is a target with its parameters. If it needs code that this program does not contain, it
// runs again in the program that does: see package signprogram.
type call struct {
	target string
	args   []any
}

func calling(target string, args ...any) call { return call{target, args} }

// signing returns the targets that may sign or verify.
func signing() map[string]any {
	return map[string]any{
		"image": Image, "debug": Debug, "run": Run, "push": Push, "lock": Lock, "release": Release,
		"sign": Sign, "verify": Verify, "keys": Keys, "reproduce": Reproduce,
		"resolve": Resolve, "doctor": Doctor,
	}
}

// again runs a target in the program that signs and verifies.
func (s *session) again(ctx context.Context, c call) error {
	job := signprogram.Job{Target: c.target, Config: Config}
	for _, arg := range c.args {
		text, err := json.Marshal(arg)
		if err != nil {
			return fmt.Errorf("thimble: %w", err)
		}
		job.Args = append(job.Args, text)
	}
	out, err := signprogram.Run(ctx, signprogram.Options{
		Env: Environ(), ModuleEnv: moduleEnv(), Offline: s.options.Offline,
		Compile: func(count *signprogram.Count) func(error) {
			s.progress.Notice(
				"the code that signs and verifies is compiled now: once, and when magefiles/go.mod changes")
			end := s.progress.StartWith("compile the signing code", count)
			return func(err error) { end(count.String()+", once", err) }
		},
		Start: s.progress.Close,
		Signal: func() os.Signal {
			if sig := (stopped{}); errors.As(context.Cause(ctx), &sig) {
				return sig.Signal
			}
			return os.Interrupt
		},
	}, job)
	switch {
	case out.Error != "" && out.Code != 0:
		return mg.Fatal(out.Code, out.Error)
	case out.Error != "":
		return errors.New(out.Error)
	case err != nil:
		return plaintext.Error(fmt.Errorf("thimble: %w", err))
	}
	return nil
}

// Signing runs the target that another process of the same magefiles passed on, and returns the
// exit code. It is not a target.
func Signing() int {
	job, done, err := signprogram.Receive()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error: thimble:", plaintext.Error(err))
		return 1
	}
	Config = job.Config
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var out signprogram.Outcome
	if err := serve(ctx, job); err != nil {
		out.Error = err.Error()
		if code := mg.ExitStatus(err); code != 1 {
			out.Code = code
		}
	}
	if err := done(out); err != nil {
		fmt.Fprintln(os.Stderr, "Error: thimble:", plaintext.Error(err))
		return 1
	}
	return 0
}

// serve calls the target of a job.
func serve(ctx context.Context, job signprogram.Job) error {
	f := reflect.ValueOf(signing()[job.Target])
	if !f.IsValid() || f.Type().NumIn() != 1+len(job.Args) {
		return fmt.Errorf("thimble: %s with %d parameters is not a target", job.Target, len(job.Args))
	}
	in := []reflect.Value{reflect.ValueOf(ctx)}
	for i, text := range job.Args {
		arg := reflect.New(f.Type().In(i + 1))
		if err := json.Unmarshal(text, arg.Interface()); err != nil {
			return fmt.Errorf("thimble: read parameter %d of %s: %w", i+1, job.Target, err)
		}
		in = append(in, arg.Elem())
	}
	err, _ := f.Call(in)[0].Interface().(error)
	return err
}

// moduleEnv lists the secrets that the go command gets to fetch modules.
func moduleEnv() []string {
	if names := os.Getenv("THIMBLE_MODULE_ENV"); names != "" {
		return strings.Split(names, ",")
	}
	return Config.ModuleEnv
}
