package lock

import (
	"fmt"
	"maps"
	"slices"

	"github.com/thimble-build/thimble/build/plan"
)

// Change is one difference between two locks.
type Change struct {
	// What is pinned: "tzdata (all)", "ghcr.io/acme/base:1 (linux/amd64)".
	What string `json:"what"`
	// Old and New are versions or digests; empty if that lock has none.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// String returns the change as a line: "+ what new", "- what old", "~ what old → new".
func (c Change) String() string {
	switch {
	case c.Old == "":
		return fmt.Sprintf("+ %s %s", c.What, c.New)
	case c.New == "":
		return fmt.Sprintf("- %s %s", c.What, c.Old)
	}
	return fmt.Sprintf("~ %s %s → %s", c.What, c.Old, c.New)
}

// Compare returns the differences between two locks, either of which may be nil, sorted: the
// packages of each suite, and the images. A package of the same version with another hash is
// listed with it. Dates of indexes are ignored.
func Compare(before, after *plan.Lock) []Change {
	a, b := pins(before), pins(after)
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	var changes []Change
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if a[k] == b[k] {
			continue
		}
		c := Change{What: k, Old: a[k].version, New: b[k].version}
		if c.Old == c.New {
			c.Old, c.New = c.Old+" sha256:"+a[k].hash, c.New+" sha256:"+b[k].hash
		}
		changes = append(changes, c)
	}
	return changes
}

type pin struct{ version, hash string }

func pins(l *plan.Lock) map[string]pin {
	all := map[string]pin{}
	if l == nil {
		return all
	}
	for _, d := range l.Debian {
		for _, p := range d.Packages {
			k := fmt.Sprintf("%s (%s %s)", p.Name, d.Suite, p.Architecture)
			if other, ok := all[k]; ok { // the architecture is no longer supported
				p.Version, p.SHA256 = other.version+", "+p.Version, other.hash+", "+p.SHA256
			}
			all[k] = pin{p.Version, p.SHA256}
		}
		for _, s := range d.Selections {
			u := Use{Base: s.Base, Packages: s.With}
			all[fmt.Sprintf("%s (%s %s)", u, d.Suite, s.Architecture)] = pin{version: fmt.Sprintf("%d packages", len(s.Packages))}
		}
	}
	for _, i := range l.Images {
		all[i.Reference] = pin{version: i.Digest}
		for _, p := range i.Platforms {
			all[fmt.Sprintf("%s (%s)", i.Reference, p.Platform)] = pin{version: p.Digest}
		}
	}
	return all
}
