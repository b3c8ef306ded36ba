package reproduce

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/sandbox"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/toolchain"
	"github.com/thimble-build/thimble/build/report"
)

// Sandbox says which mechanisms isolate a build of foreign code from the rest of the machine.
type Sandbox struct {
	// Held are the mechanisms that work on this machine, tested by a child process; Refused are
	// the others.
	Held    []sandbox.Mechanism
	Refused []sandbox.Refusal
	// Notes for the report name the faults of the toolchain that the sandbox contains.
	Notes []string
}

// Report returns the sandbox in the form of a report.
func (s Sandbox) Report() *report.Sandbox {
	shown := &report.Sandbox{Held: []string{}}
	for _, m := range s.Held {
		shown.Held = append(shown.Held, string(m))
	}
	for _, refused := range s.Refused {
		shown.Refused = append(shown.Refused, refused.String())
	}
	return shown
}

// Probe tests which mechanisms work here. It returns an error if they are not enough for the
// toolchain, or, with requireAll, if one does not work.
func (r *Room) Probe(ctx context.Context, s *session.Session, g *gocmd.Go, self []string,
	requireAll bool) (Sandbox, error) {
	var found Sandbox
	err := s.Stage("probe the sandbox", func() (string, error) {
		env, _ := r.environment(s, g)
		c := command{self: self, args: self, env: env, dir: r.dir, rules: r.rules(s, g, self)}
		var err error
		found.Held, found.Refused, err = sandbox.Probe(ctx,
			func(ctx context.Context, m sandbox.Mechanism) error {
				c.mechanisms = []sandbox.Mechanism{m}
				return r.try(ctx, c, m)
			})
		if err != nil {
			return "", err
		}
		var refused []string
		for _, m := range found.Refused {
			refused = append(refused, m.String())
		}
		without := strings.Join(refused, "; ")
		if len(refused) > 0 && requireAll {
			return "", fmt.Errorf(
				"the sandbox is not complete on this machine: %s; build it on another one, or omit "+
					"-requireSandbox", without)
		}
		if found.Notes, err = checkToolchain(r.source.Plan.Toolchain.Version, len(refused) == 0); err != nil {
			return "", err
		}
		if len(refused) > 0 {
			s.Progress.Notice("the sandbox lacks mechanisms that this machine refuses: " + without +
				"; -requireSandbox makes this an error")
		}
		return fmt.Sprintf("%d of %d mechanisms work", len(found.Held), len(sandbox.All)), nil
	})
	return found, err
}

// try returns an error if a mechanism alone does not stop a child.
func (r *Room) try(ctx context.Context, c command, m sandbox.Mechanism) (err error) {
	if slices.Contains(r.changes.Refuse, m) {
		return errors.New("refused by a test")
	}
	dir, err := os.MkdirTemp("", "thimble-probe-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	trial, err := sandbox.NewTrial(dir, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trial.Close()) }()
	return childError("try it", r.run(ctx, c, message{Trial: trial}))
}

// checkToolchain refuses a toolchain with a fault by which a build runs code or writes files.
// In a sandbox it returns a note instead.
func checkToolchain(version string, sandboxed bool) (notes []string, err error) {
	faults := toolchain.Faults(version)
	if len(faults) == 0 {
		return nil, nil
	}
	var shown []string
	for _, f := range faults {
		shown = append(shown, f.ID+" ("+f.Summary+")")
	}
	text := fmt.Sprintf("it was built with %s, with which building a stranger's source is dangerous: %s",
		version, strings.Join(shown, ", "))
	if sandboxed {
		return []string{text + "; the sandbox was complete"}, nil
	}
	return nil, errors.New(text + "; build it on a machine where the sandbox is complete")
}
