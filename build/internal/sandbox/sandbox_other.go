//go:build !linux

package sandbox

import (
	"os/exec"
)

// System are the folders and files that programs of the system need.
func System() Rules { return Rules{} }

// Command prepares a child for the mechanisms; the returned function releases the resources after
// the child has started.
func Command(_ *exec.Cmd, _ Rules, mechanisms []Mechanism) (Entry, func(), error) {
	if len(mechanisms) > 0 {
		return Entry{}, func() {}, ErrUnsupported
	}
	return Entry{}, func() {}, nil
}

// Entry says which mechanisms Enter applies.
type Entry struct{}

// Enter applies the mechanisms and executes a program.
func Enter(Entry, []string, []string) error { return ErrUnsupported }

// Trial is what a child tries under a mechanism.
type Trial struct{}

// NewTrial prepares one.
func NewTrial(string, Mechanism) (*Trial, error) { return nil, ErrUnsupported }

// Close releases it.
func (*Trial) Close() error { return nil }

// Run tries it.
func (*Trial) Run() error { return ErrUnsupported }
