package describe

import (
	"errors"
	"fmt"
	"slices"

	testresult "github.com/in-toto/attestation/go/predicates/test_result/v0"
	intoto "github.com/in-toto/attestation/go/v1"

	"github.com/thimble-build/thimble/build/plan"
)

// TestInput is what a test run came to.
type TestInput struct {
	Plan   *plan.Plan
	Config plan.TestConfig
	// Passed, Warned and Failed are import paths of packages, as package gotest
	// reports them, or other names of tests.
	Passed, Warned, Failed []string
	// Skipped says that the tests were not run, because the user asked for that.
	Skipped bool
}

// The values of a test result.
const (
	Passed = "PASSED"
	Warned = "WARNED"
	Failed = "FAILED"
)

// TestResult writes an in-toto test-result v0.1 predicate as canonical JSON. The
// result is FAILED if a test failed; WARNED if one warned or if none was run; else
// PASSED. The configuration is the source's commit, and how `go test` was called.
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
	// An annotation is allow-listed as the parameters of provenance are.
	settings, err := object(struct {
		externalTest
		BuildTags []string `json:"buildTags,omitempty"`
		Toolchain string   `json:"toolchain"`
		Skipped   bool     `json:"skipped"`
	}{newExternalTest(in.Config), in.Plan.Build.Tags, in.Plan.Toolchain.Version, in.Skipped})
	if err != nil {
		return nil, fmt.Errorf("write the test result: %w", err)
	}
	r := &testresult.TestResult{
		Result:        Passed,
		Configuration: []*intoto.ResourceDescriptor{{Name: "go test", Annotations: settings}},
		PassedTests:   names(in.Passed), WarnedTests: names(in.Warned), FailedTests: names(in.Failed),
	}
	if source != nil {
		r.Configuration = slices.Insert(r.Configuration, 0, source)
	}
	switch {
	case len(r.FailedTests) > 0:
		r.Result = Failed
	case len(r.WarnedTests) > 0, len(r.PassedTests) == 0:
		r.Result = Warned
	}
	b, err := canonicalMessage(r)
	if err != nil {
		return nil, fmt.Errorf("write the test result: %w", err)
	}
	return b, nil
}

// names are sorted, each once.
func names(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}
