package targets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
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

// moduleEnv lists the secrets that the go command gets to fetch modules.
func moduleEnv() []string {
	if names := os.Getenv("THIMBLE_MODULE_ENV"); names != "" {
		return strings.Split(names, ",")
	}
	return Config.ModuleEnv
}
