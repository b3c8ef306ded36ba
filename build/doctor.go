package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/doctor"
)

// Diagnosis is the result of Doctor, in a fixed order.
type Diagnosis struct {
	Findings []Finding `json:"findings"`
}

// Finding is one line of a Diagnosis.
type Finding struct {
	// Check names what was checked: "go", "git", "registry" and so on.
	Check string `json:"check"`
	State State  `json:"state"`
	// Detail is what was found. Fix is the command or step that fixes it.
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// State is the result of a check.
type State string

// A failed check prevents some configured target from working; a note prevents none.
const (
	Fine   State = "ok"
	Noted  State = "note"
	Failed State = "failed"
)

// Failed returns how many checks failed.
func (d *Diagnosis) Failed() (n int) {
	for _, f := range d.Findings {
		if f.State == Failed {
			n++
		}
	}
	return n
}

// Doctor checks everything that the targets use: Go, git, the module, the container engine, the
// registries, the signing key or identity, clock, caches, disk and memory. It writes only a
// file in each cache folder, which it removes, and what registry.Capabilities says. A feature
// that is not configured is not a failure. The only error is that of ctx; everything else is a
// finding.
func Doctor(ctx context.Context, o Options) (*Diagnosis, error) {
	s, err := o.session(ctx)
	if err != nil {
		return &Diagnosis{[]Finding{{Check: "settings", State: Failed, Detail: err.Error()}}}, nil
	}
	found, err := doctor.Examine(ctx, s)
	if err != nil {
		return nil, err
	}
	d := &Diagnosis{}
	for _, f := range found {
		d.Findings = append(d.Findings, Finding{Check: f.Check, State: State(f.State), Detail: f.Detail, Fix: f.Fix})
	}
	return d, nil
}
