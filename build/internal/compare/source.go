package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/report"
)

// sources records the first input of the builds that is in no commit and differs.
func (c *comparison) sources() {
	if c.a.Files == nil || c.b.Files == nil || c.report.Same {
		return
	}
	names := slices.Collect(maps.Keys(c.a.Files))
	for name := range c.b.Files {
		if _, ok := c.a.Files[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		x, inA := c.a.Files[name]
		y, inB := c.b.Files[name]
		if inA && inB && string(x) == string(y) {
			continue
		}
		d := Difference{Depth: report.DepthSource, Where: name}
		if !inA || !inB {
			has := c.a.Name
			if d.A = fmt.Sprintf("%d bytes", len(x)); !inA {
				has, d.A, d.B = c.b.Name, "", fmt.Sprintf("%d bytes", len(y))
			}
			c.cause(report.CauseSource, "%s, which is not in the commit, is only in %s", name, has)
			c.differ(d)
			return
		}
		l, err := firstLine(strings.NewReader(string(x)), strings.NewReader(string(y)))
		if err != nil {
			continue // equal after all
		}
		d.What, d.A, d.B = l.where(), l.a, l.b
		c.differ(d)
		c.generated(name, string(x), string(y), l)
		return
	}
}

// generated records the cause of a file that differs.
func (c *comparison) generated(name, x, y string, l line) {
	if when, ok := times(l.a, l.b); ok {
		c.cause(report.CauseTime, "%s, which is not in the commit, contains a time: %s", name, when)
		return
	}
	sorted := func(s string) []string { return slices.Sorted(strings.Lines(s + "\n")) }
	if slices.Equal(sorted(x), sorted(y)) {
		c.cause(report.CauseSource,
			"%s, which is not in the commit, has the same lines in another order, for example because a "+
				"map was written", name)
		return
	}
	c.cause(report.CauseSource, "%s, which is not in the commit, has another %s", name, l.where())
}
