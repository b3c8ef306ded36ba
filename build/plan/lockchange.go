package plan

import "fmt"

// LockChange is one difference between two locks.
type LockChange struct {
	// What is pinned: "tzdata (all)", "ghcr.io/acme/base:1 (linux/amd64)".
	What string `json:"what"`
	// Old and New are versions or digests; empty if that lock has none.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// String returns the change as a line: "+ what new", "- what old", "~ what old → new".
func (c LockChange) String() string {
	switch {
	case c.Old == "":
		return fmt.Sprintf("+ %s %s", c.What, c.New)
	case c.New == "":
		return fmt.Sprintf("- %s %s", c.What, c.Old)
	}
	return fmt.Sprintf("~ %s %s → %s", c.What, c.Old, c.New)
}
