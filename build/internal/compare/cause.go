package compare

import (
	"cmp"
	"slices"
	"strings"
)

// causes returns the causes in order, without consequences of others: if the plans or the build
// infos explain why code differs, the difference in code is left out, and if a generated file is
// available, so is the difference of its hash.
func (c *comparison) causes() []Cause {
	if c.report.Same {
		return nil
	}
	explained := slices.ContainsFunc(c.found, func(f Cause) bool {
		return slices.Contains([]CauseKind{CauseKit, CauseToolchain, CauseFlag, CauseVCS, CauseModule}, f.Kind)
	})
	generated := slices.ContainsFunc(c.report.Differences, func(d Difference) bool { return d.Depth == DepthSource })
	var out []Cause
	for _, f := range c.found {
		code := f.Kind == CauseTime && strings.HasPrefix(f.Detail, "a time was compiled into") ||
			f.Kind == CauseSource && strings.HasPrefix(f.Detail, "the build info of both")
		sums := generated && strings.HasPrefix(f.Detail, generatedSums) // the available files show more
		if sums || code && (explained || generated) {
			continue
		}
		out = append(out, f)
	}
	if slices.ContainsFunc(c.report.Differences, func(d Difference) bool { return d.Depth == DepthDocument }) {
		out = append(out, c.ofDocuments...)
	}
	slices.SortStableFunc(out, func(a, b Cause) int {
		return cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind))
	})
	if len(out) == 0 {
		out = []Cause{{CauseSource, "nothing that was compared tells it; compare again with both layouts at hand"}}
	}
	return out
}
