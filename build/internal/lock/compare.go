package lock

import (
	"fmt"
	"maps"
	"slices"

	"github.com/thimble-build/thimble/build/plan"
)

// Compare returns the differences between two locks, either of which may be nil, sorted: the
// packages of each suite, and the images. A package of the same version with another hash is
// listed with it. Dates of indexes are ignored.
func Compare(before, after *plan.Lock) []plan.LockChange {
	a, b := pins(before), pins(after)
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	var changes []plan.LockChange
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if a[k] == b[k] {
			continue
		}
		c := plan.LockChange{What: k, Old: a[k].version, New: b[k].version}
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
			all[fmt.Sprintf("%s (%s %s)", u, d.Suite,
				s.Architecture)] = pin{version: fmt.Sprintf("%d packages", len(s.Packages))}
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
