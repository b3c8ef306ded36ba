package compare

import "github.com/thimble-build/thimble/build/report"

// The types of a comparison.
type (
	Report     = report.Comparison
	Digest     = report.Digest
	Difference = report.Difference
	Depth      = report.Depth
	Cause      = report.Cause
	CauseKind  = report.CauseKind
)

// kinds are the causes, in an order in which later ones may follow from earlier ones.
var kinds = []CauseKind{
	report.CauseKit, report.CauseToolchain, report.CauseFlag, report.CauseVCS,
	report.CauseModule, report.CauseTime,
	report.CauseSource, report.CauseBase, report.CauseMode, report.CauseConfig,
	report.CausePlatforms, report.CauseEpoch,
	report.CauseCompressor,
}
