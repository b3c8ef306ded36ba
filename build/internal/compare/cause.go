package compare

import (
	"cmp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/report"
)

// causes returns the causes in order, without consequences of others: if the plans or the build
// infos explain why code differs, the difference in code is left out, and if a generated file is
// available, so is the difference of its hash.
func (c *comparison) causes() []Cause {
	if c.report.Same {
		return nil
	}
	explained := slices.ContainsFunc(c.found, func(f Cause) bool {
		return slices.Contains([]CauseKind{report.CauseKit, report.CauseToolchain, report.CauseFlag,
			report.CauseVCS, report.CauseModule}, f.Kind)
	})
	generated := slices.ContainsFunc(c.report.Differences,
		func(d Difference) bool { return d.Depth == report.DepthSource })
	var out []Cause
	for _, f := range c.found {
		code := f.Kind == report.CauseTime && strings.HasPrefix(f.Detail, "a time was compiled into") ||
			f.Kind == report.CauseSource && strings.HasPrefix(f.Detail, "the build info of both")
		sums := generated && strings.HasPrefix(f.Detail, generatedSums) // the available files show more
		if sums || code && (explained || generated) {
			continue
		}
		out = append(out, f)
	}
	if slices.ContainsFunc(c.report.Differences,
		func(d Difference) bool { return d.Depth == report.DepthDocument }) {
		out = append(out, c.ofDocuments...)
	}
	slices.SortStableFunc(out, func(a, b Cause) int {
		return cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind))
	})
	if len(out) == 0 {
		out = []Cause{{Kind: report.CauseSource,
			Detail: "the compared files do not show the cause; compare again with the layouts of both builds"}}
	}
	return out
}
