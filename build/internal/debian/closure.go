package debian

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// installation are packages that others need only for their maintainer scripts, which do not run
// here. A dependency that only these would meet is left out.
var installation = map[string]bool{"debconf": true, "debconf-2.0": true, "cdebconf": true}

// closure is a set of packages that grows by their dependencies.
type closure struct {
	universe *universe
	chosen   map[string]*record
	because  map[string]string // the package that requires it
	pending  []*record
}

// resolve returns packages by name: exact without their dependencies, and roots with all that
// they depend on and pre-depend on. Of alternatives it takes the first that is already in the
// set, otherwise the first that exists; of several packages that provide a name, the one with the
// highest priority, then the first by name. So the result depends only on the lists.
func (u *universe) resolve(exact, roots []string) (map[string]*record, error) {
	c := &closure{universe: u, chosen: map[string]*record{}, because: map[string]string{}}
	for i, name := range slices.Concat(exact, roots) {
		r := u.candidate(name)
		if r == nil {
			return nil, u.unknown(name)
		}
		if c.chosen[name] != nil && i < len(exact) {
			continue
		}
		c.chosen[name] = r
		if i >= len(exact) {
			c.pending = append(c.pending, r)
		}
	}
	for len(c.pending) > 0 {
		r := c.pending[0]
		c.pending = c.pending[1:]
		groups, err := joined(r.preDepends, r.depends)
		if err != nil {
			return nil, fmt.Errorf("package %s depends on: %w", r.Name, err)
		}
		for _, group := range groups {
			if err := c.require(r, group); err != nil {
				return nil, err
			}
		}
	}
	return c.chosen, c.conflicts()
}

// require makes sure that one alternative is met.
func (c *closure) require(by *record, group []relation) error {
	if !slices.ContainsFunc(group, func(r relation) bool { return !installation[r.name] }) {
		return nil
	}
	for _, want := range group {
		if c.met(want) {
			return nil
		}
	}
	for _, want := range group {
		r := c.universe.candidate(want.name)
		if r == nil || !want.met(r.Version) {
			r = c.universe.provider(want)
		}
		if r == nil || c.chosen[r.Name] != nil {
			continue
		}
		c.chosen[r.Name] = r
		c.because[r.Name] = by.Name
		c.pending = append(c.pending, r)
		return nil
	}
	var names []string
	for _, want := range group {
		names = append(names, want.String())
	}
	return fmt.Errorf("package %s depends on %s, which %s's archive does not have", by.Name,
		strings.Join(names, " or "), c.universe.architecture)
}

func (c *closure) met(want relation) bool {
	if r := c.chosen[want.name]; r != nil && want.met(r.Version) {
		return true
	}
	for _, r := range c.universe.providers[want.name] {
		if c.chosen[r.Name] == r && want.providedBy(r) {
			return true
		}
	}
	return false
}

// provider returns the package that provides a relation; nil if there is none.
func (u *universe) provider(want relation) *record {
	var best *record
	for _, r := range u.providers[want.name] {
		if r != u.candidate(r.Name) || !want.providedBy(r) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(r.priority, best.priority),
			strings.Compare(r.Name, best.Name)) < 0 {
			best = r
		}
	}
	return best
}

// conflicts returns an error for packages that must not be unpacked together.
func (c *closure) conflicts() error {
	for _, name := range slices.Sorted(maps.Keys(c.chosen)) {
		r := c.chosen[name]
		groups, err := joined(r.conflicts, r.breaks)
		if err != nil {
			return fmt.Errorf("package %s conflicts with: %w", r.Name, err)
		}
		for _, group := range groups {
			for _, enemy := range group {
				other := c.chosen[enemy.name]
				if other == nil || other == r || !enemy.met(other.Version) {
					continue
				}
				return fmt.Errorf("package %s conflicts with %s%s", r.Name, other.Name, c.reason(other.Name))
			}
		}
	}
	return nil
}

func (c *closure) reason(name string) string {
	if by := c.because[name]; by != "" {
		return ", which " + by + " depends on"
	}
	return ""
}

// unknown returns the error for a package that does not exist.
func (u *universe) unknown(name string) error {
	var names []string
	for _, r := range u.providers[name] {
		names = append(names, r.Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("there is no package %s for %s in main of this release; correct Packages",
			name, u.architecture)
	}
	slices.Sort(names)
	return fmt.Errorf("there is no package %s for %s, but %s provide it; use one of these", name,
		u.architecture, strings.Join(slices.Compact(names), ", "))
}
