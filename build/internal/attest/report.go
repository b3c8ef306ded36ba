package attest

import "github.com/thimble-build/thimble/build/report"

// The types of a report.
type (
	Report  = report.Verification
	Check   = report.Check
	Outcome = report.Outcome
	Form    = report.Form
)

// The forms of a signature.
const (
	Bundles = report.Bundles
	Tags    = report.Tags
)

// ErrRefused is the error of [Verify] when a check failed; the report says which.
var ErrRefused = report.ErrRefused

// The outcomes of a check.
const (
	Passed  = report.Passed
	Failed  = report.Failed
	Ignored = report.Ignored
)
