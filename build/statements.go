package build

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/partial"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/describe"
	"github.com/thimble-build/thimble/build/plan"
)

// statements are what is said of each image's index, by the image's name, and of each
// platform's image, by its digest: SBOMs, provenance, the outcome of the tests. An index
// is described by the SBOMs of all its platforms.
func (rel *release) statements(units []*unit) (map[string][]attest.Statement, error) {
	p := rel.resolved.Plan
	builder := describe.Builder(func(name string) string { v, _ := rel.lookupEnv(name); return v })
	if builder.InvocationID == "" {
		id := make([]byte, 16)
		if _, err := rand.Read(id); err != nil {
			return nil, fmt.Errorf("make an invocation id: %w", err)
		}
		builder.InvocationID = "urn:thimble:" + hex.EncodeToString(id)
	}
	outcome := describe.TestInput{Plan: p, Config: rel.Config.Test, Skipped: rel.tests == nil}
	if rel.tests != nil {
		outcome.Passed, outcome.Failed = rel.tests.Passed, rel.tests.Failed
	}
	tests, err := describe.TestResult(outcome)
	if err != nil {
		return nil, err
	}
	in := describe.ProvenanceInput{
		Config: rel.Config, Plan: p, Builder: builder, Started: rel.began, Finished: time.Now(),
		Overrides: describe.Overrides{
			DirtyTree: rel.AllowDirty, UntaggedCommit: rel.AllowUntagged,
			FailingTests: rel.AllowFailingTests, SkippedTests: rel.tests == nil,
		},
	}
	all := map[string][]attest.Statement{}
	for _, img := range p.Images {
		var inputs []describe.Input
		var sboms []attest.Statement
		for _, u := range of(units, img) {
			linked, err := rel.linked(u)
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, linked)
			mine := []attest.Statement{
				{PredicateType: attest.SPDXType, Predicate: u.spdx},
				{PredicateType: attest.CycloneDXType, Predicate: u.cyclonedx},
			}
			sboms = append(sboms, mine...)
			in.Images = []describe.Input{linked}
			if all[u.digest], err = withRun(mine, in, tests); err != nil {
				return nil, err
			}
		}
		in.Images = inputs
		var err error
		if all[img.Name], err = withRun(sboms, in, tests); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// withRun adds provenance and the tests' outcome to SBOMs.
func withRun(sboms []attest.Statement, in describe.ProvenanceInput, tests []byte) ([]attest.Statement, error) {
	provenance, err := describe.Provenance(in)
	if err != nil {
		return nil, err
	}
	said := attest.Statement{PredicateType: attest.ProvenanceType, Predicate: provenance}
	outcome := attest.Statement{PredicateType: attest.TestResultType, Predicate: tests}
	if in.Plan.StableDigests() { // what an earlier release said of the same image still holds
		said.Suffices = func(stored json.RawMessage) bool { return describe.SameInputs(stored, provenance) }
		outcome.Suffices = func(stored json.RawMessage) bool { return describe.SameOutcome(stored, tests) }
	}
	return append(sboms[:len(sboms):len(sboms)], said, outcome), nil
}

// subjects are an image's index and platforms, under the name that they are signed
// for.
func (rel *release) subjects(name string, img plan.Image, units []*unit, statements map[string][]attest.Statement) ([]attest.Subject, error) {
	descriptor, err := partial.Descriptor(rel.indexes[img.Name])
	if err != nil {
		return nil, err
	}
	subjects := []attest.Subject{{Name: name, Descriptor: *descriptor, Statements: statements[img.Name]}}
	for _, u := range of(units, img) {
		descriptor, err := partial.Descriptor(u.built)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, attest.Subject{Name: name, Descriptor: *descriptor, Statements: statements[u.digest]})
	}
	return subjects, nil
}
