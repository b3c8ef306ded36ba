// Package sandbox runs a program so that it reads only allowed files, writes only into allowed
// folders, has no network, and sees no other process. It uses what Linux offers to every user:
// Landlock, namespaces and seccomp. A machine may refuse each of them: Probe finds out, by a
// child that tries the forbidden operations.
//
// A program starts in two steps. The parent starts a child with Command, in new namespaces. The
// child, which is this same program, first calls Enter, which applies Landlock and seccomp and
// executes the actual program.
package sandbox

import (
	"context"
	"errors"
	"fmt"
)

// Mechanism is the name of one mechanism.
type Mechanism string

// The mechanisms.
const (
	// Files is Landlock: only files of the Rules are read or written.
	Files Mechanism = "Landlock"
	// Network is a network namespace: no address is reachable, not even on this machine.
	Network Mechanism = "network namespace"
	// Processes and IPC are namespaces: other processes, their shared memory and their message
	// queues are not visible.
	Processes Mechanism = "pid namespace"
	IPC       Mechanism = "ipc namespace"
	// Calls is seccomp: no socket can be opened, so sockets in the file system, such as a
	// container engine's, cannot be used either, and the kernel's keys cannot be read.
	Calls Mechanism = "seccomp"
)

// All are the mechanisms in the order for display.
var All = []Mechanism{Files, Network, Processes, IPC, Calls}

// Rules are the allowed absolute paths. Missing ones are ignored.
type Rules struct {
	// Read are files and folders that may be read and executed. Write are folders and devices
	// that may also be written.
	Read, Write []string
}

// ErrUnsupported is the error of a mechanism that this system or architecture does not have.
var ErrUnsupported = errors.New("this system does not have it")

// Refusal is a mechanism that this machine refuses.
type Refusal struct {
	Mechanism Mechanism
	Reason    error
}

func (r Refusal) String() string { return fmt.Sprintf("%s: %v", r.Mechanism, r.Reason) }

// Probe tests each mechanism: try runs a child under only that mechanism, and returns an error if
// the child was not restricted (see Trial).
func Probe(ctx context.Context, try func(context.Context,
	Mechanism) error) (held []Mechanism, refused []Refusal, err error) {
	for _, m := range All {
		if err := try(ctx, m); err != nil {
			if ctx.Err() != nil {
				return nil, nil, context.Cause(ctx)
			}
			refused = append(refused, Refusal{m, err})
			continue
		}
		held = append(held, m)
	}
	return held, refused, nil
}
