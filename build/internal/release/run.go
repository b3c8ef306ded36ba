package release

import (
	"fmt"
	"time"

	"github.com/thimble-build/thimble/build/internal/describe"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// Run is the part of provenance that describes the run that made the images.
type Run struct {
	Started time.Time
	// Overrides are the disabled checks that would stop a release.
	Overrides describe.Overrides
	// PassedTests and FailedTests are import paths. TestsSkipped says that no test ran.
	PassedTests, FailedTests []string
	TestsSkipped             bool
}

// MayRelease refuses a release that cannot be distinguished from another one, unless the overrides
// allow it. p is the plan of the draft, so far or final.
func (r Run) MayRelease(draft *resolve.Draft, p *plan.Plan) error {
	if p.Dirty && !r.Overrides.DirtyTree {
		return fmt.Errorf(
			"release %s: the tree differs from the commit: %s; commit it, or release with -allowDirty",
			p.Version, pipeline.Dirt(p))
	}
	if !draft.Tagged && !r.Overrides.UntaggedCommit {
		return fmt.Errorf(
			"release %s: the commit has no version tag; tag it (git tag %sv1.2.3), or release with "+
				"-allowUntagged", p.Version, draft.TagPrefix())
	}
	return nil
}

// WithTests returns the run with the results of its tests; nil if none ran.
func (r Run) WithTests(tests *report.Tests) Run {
	r.TestsSkipped, r.Overrides.SkippedTests = tests == nil, tests == nil
	if tests != nil {
		r.PassedTests, r.FailedTests = tests.Passed, tests.Failed
	}
	return r
}
