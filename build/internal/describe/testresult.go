package describe

import (
	"errors"
	"fmt"
	"slices"

	"github.com/thimble-build/thimble/build/plan"
)

// TestInput is the outcome of a test run.
type TestInput struct {
	Plan   *plan.Plan
	Config plan.TestConfig
	// Passed, Warned and Failed are import paths of packages, as package gotest reports them, or
	// other names of tests.
	Passed, Warned, Failed []string
	// Skipped says that the user skipped the tests.
	Skipped bool
}

// The values of a test result.
const (
	Passed = "PASSED"
	Warned = "WARNED"
	Failed = "FAILED"
)

// TestResult returns an in-toto test-result v0.1 predicate as canonical JSON. The result is
// FAILED if a test failed; WARNED if one warned or if none ran; otherwise PASSED. The
// configuration is the source's commit and the `go test` command.
func TestResult(in TestInput) ([]byte, error) {
	if in.Plan == nil {
		return nil, errors.New("write the test result: it needs a plan")
	}
	if in.Skipped && len(in.Passed)+len(in.Warned)+len(in.Failed) > 0 {
		return nil, errors.New("write the test result: tests that were skipped have outcomes")
	}
	source, err := sourceDescriptor(in.Plan)
	if err != nil {
		return nil, fmt.Errorf("write the test result: %w", err)
	}
	// Only allowed values are written, as in the parameters of provenance.
	settings := struct {
		externalTest
		BuildTags []string `json:"buildTags,omitempty"`
		Toolchain string   `json:"toolchain"`
		Skipped   bool     `json:"skipped"`
	}{newExternalTest(in.Config), in.Plan.Build.Tags, in.Plan.Toolchain.Version, in.Skipped}
	r := testResult{
		Result:        Passed,
		Configuration: []descriptor{{Name: "go test", Annotations: settings}},
		PassedTests:   names(in.Passed), WarnedTests: names(in.Warned), FailedTests: names(in.Failed),
	}
	if source != nil {
		r.Configuration = slices.Insert(r.Configuration, 0, *source)
	}
	switch {
	case len(r.FailedTests) > 0:
		r.Result = Failed
	case len(r.WarnedTests) > 0, len(r.PassedTests) == 0:
		r.Result = Warned
	}
	b, err := predicateJSON(r)
	if err != nil {
		return nil, fmt.Errorf("write the test result: %w", err)
	}
	return b, nil
}

// names returns the names sorted, without repetitions.
func names(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}
