package targets

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"reflect"

	"github.com/magefile/mage/mg"

	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/internal/signprogram"
)

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

// signing returns the targets that may sign or verify.
func signing() map[string]any {
	return map[string]any{
		"image": Image, "debug": Debug, "run": Run, "push": Push, "lock": Lock, "release": Release,
		"sign": Sign, "verify": Verify, "keys": Keys, "reproduce": Reproduce,
		"resolve": Resolve, "doctor": Doctor,
	}
}
