// Package sandbox runs a program so that it reads only what it is told, writes only into
// folders that it is told, reaches no network, and sees no other process. It uses what
// Linux gives to every user: Landlock, namespaces and seccomp. A machine may refuse each
// of them: Probe finds out, by a child that tries what is forbidden.
//
// A program enters in two steps. The parent starts a child with Command, in new
// namespaces. The child, which is this same program, calls Enter before anything else;
// that applies Landlock and seccomp, and executes the program proper.
package sandbox

import (
	"context"
	"errors"
	"fmt"
)

// Mechanism is one of the means, by its name.
type Mechanism string

// The mechanisms.
const (
	// Files is Landlock: no file is read or written but those of the Rules.
	Files Mechanism = "Landlock"
	// Network is a network namespace: no address is reachable, not even of this machine.
	Network Mechanism = "network namespace"
	// Processes and IPC are namespaces: no other process, and none of its shared memory
	// and message queues, is visible.
	Processes Mechanism = "pid namespace"
	IPC       Mechanism = "ipc namespace"
	// Calls is seccomp: no socket is opened, which also keeps it from the sockets in the
	// file system, such as a container engine's, and no key is asked of the kernel.
	Calls Mechanism = "seccomp"
)

// All are the mechanisms in the order in which they are shown.
var All = []Mechanism{Files, Network, Processes, IPC, Calls}

// Rules are what is left to the program: absolute paths. Those that are not there do not
// count.
type Rules struct {
	// Read are files and folders that are read and executed. Write are folders, and
	// devices, that are written as well.
	Read, Write []string
}

// ErrUnsupported is the error of a mechanism that this system or this architecture lacks.
var ErrUnsupported = errors.New("this system does not have it")

// Refusal is a mechanism that this machine does not give.
type Refusal struct {
	Mechanism Mechanism
	Reason    error
}

func (r Refusal) String() string { return fmt.Sprintf("%s: %v", r.Mechanism, r.Reason) }

// Probe asks of each mechanism whether it holds: try runs a child under that mechanism
// alone, which returns an error where it was not held back (see Trial).
func Probe(ctx context.Context, try func(context.Context, Mechanism) error) (held []Mechanism, refused []Refusal, err error) {
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
