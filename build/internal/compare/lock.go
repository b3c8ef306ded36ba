package compare

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// locks records which bases, or which of Debian's packages, have different pins. If there are
// none, it records the first field of the lock that differs.
func (c *comparison) locks(fields []field) error {
	var a, b struct{ Lock plan.Lock }
	for _, from := range []struct {
		plan []byte
		to   any
	}{{c.a.Plan, &a}, {c.b.Plan, &b}} {
		if err := json.Unmarshal(from.plan, from.to); err != nil {
			return fmt.Errorf("read the plans' locks: %w", err)
		}
	}
	var first *field
	for i, f := range fields {
		if strings.HasPrefix(f.path, "/images/") &&
			(strings.HasSuffix(f.path, "/base") || strings.Contains(f.path, "/packages")) {
			return nil // another base has another lock
		}
		if first == nil && strings.HasPrefix(f.path, "/lock") {
			first = &fields[i]
		}
	}
	if first == nil {
		return nil
	}
	before := len(c.found)
	for _, x := range a.Lock.Images {
		for _, y := range b.Lock.Images {
			if x.Reference == y.Reference && x.Digest != y.Digest {
				c.cause(report.CauseBase, "the base %s is pinned as %s / %s", x.Reference, x.Digest, y.Digest)
			}
		}
	}
	x, y := packages(a.Lock), packages(b.Lock)
	names := slices.Collect(maps.Keys(x))
	for name := range y {
		if _, both := x[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if x[name] != y[name] {
			c.cause(report.CauseBase, "Debian's package %s is %s / %s", name,
				orNone(x[name]), orNone(y[name]))
		}
	}
	if len(c.found) == before {
		c.cause(report.CauseBase, "%s of the bases is %s / %s", strings.TrimPrefix(first.path, "/"), first.a,
			first.b)
	}
	return nil
}

// packages returns the versions of Debian's packages, by suite, name and architecture.
func packages(l plan.Lock) map[string]string {
	all := map[string]string{}
	for _, d := range l.Debian {
		for _, p := range d.Packages {
			name := d.Suite + "/" + p.Name
			if p.Architecture != "all" {
				name += ":" + p.Architecture
			}
			if all[name] != "" {
				all[name] += ", "
			}
			all[name] += p.Version
		}
	}
	return all
}
