package release

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/describe"
	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Image is an image of a release, with the statements about it.
type Image struct {
	// Name is the image's name, Tags are those of the plan.
	Name string
	Tags []string
	// released says which release this is, without tags.
	released attest.Released
	// statements are first about the index, then about each platform's image.
	statements []statements
	// binaries are the SHA-256 of the executables by image digest.
	binaries map[v1.Hash]string
}

// statements are the statements about one digest.
type statements struct {
	of  v1.Descriptor
	all []attest.Statement
}

// Statements makes the statements about each image's index and each platform's image: SBOMs,
// provenance, test results. An index has the SBOMs of all its platforms.
func Statements(s *session.Session, p *plan.Plan, run Run, indexes []artifact.Index,
	described []artifact.Described) ([]Image, error) {
	builder := describe.DetectBuilder(func(name string) string { v, _ := s.LookupEnv(name); return v })
	if builder.InvocationID == "" {
		id := make([]byte, 16)
		if _, err := rand.Read(id); err != nil {
			return nil, fmt.Errorf("make an invocation id: %w", err)
		}
		builder.InvocationID = "urn:thimble:" + hex.EncodeToString(id)
	}
	tests, err := describe.TestResult(describe.TestInput{
		Plan: p, Config: s.Config.Test, Passed: run.PassedTests, Failed: run.FailedTests,
		Skipped: run.TestsSkipped,
	})
	if err != nil {
		return nil, err
	}
	in := describe.ProvenanceInput{
		Config: s.Config, Overrides: run.Overrides, Plan: p, Builder: builder, Started: run.Started,
		Finished: time.Now(),
	}
	var names []string
	for _, index := range indexes {
		names = append(names, index.Image.Name)
	}
	var images []Image
	for _, index := range indexes {
		img := Image{
			Name: index.Image.Name, Tags: index.Image.Tags, binaries: map[v1.Hash]string{},
			released: attest.Released{Image: index.Image.Name, Images: names, Version: p.Version},
		}
		var platforms []statements
		var contents []sbom.Input
		var sboms []attest.Statement
		for _, d := range described {
			if d.Image != img.Name {
				continue
			}
			mine := []attest.Statement{
				{PredicateType: attest.SPDXType, Predicate: d.SPDX},
				{PredicateType: attest.CycloneDXType, Predicate: d.CycloneDX},
			}
			sboms, contents = append(sboms, mine...), append(contents, d.Contents)
			in.Images = []sbom.Input{d.Contents}
			said, err := withRun(mine, in, tests)
			if err != nil {
				return nil, err
			}
			platforms = append(platforms, statements{d.Descriptor, said})
			img.binaries[d.Descriptor.Digest] = d.Binary
		}
		in.Images = contents
		said, err := withRun(sboms, in, tests)
		if err != nil {
			return nil, err
		}
		img.statements = append([]statements{{index.Descriptor, said}}, platforms...)
		images = append(images, img)
	}
	return images, nil
}

// withRun adds provenance and test results to SBOMs.
func withRun(sboms []attest.Statement, in describe.ProvenanceInput,
	tests []byte) ([]attest.Statement, error) {
	provenance, err := describe.Provenance(in)
	if err != nil {
		return nil, err
	}
	said := attest.Statement{PredicateType: attest.ProvenanceType, Predicate: provenance}
	outcome := attest.Statement{PredicateType: attest.TestResultType, Predicate: tests}
	if in.Plan.StableDigests() { // statements of an earlier release about the same image are still true
		said.Suffices = func(stored json.RawMessage) bool { return describe.SameInputs(stored, provenance) }
		outcome.Suffices = func(stored json.RawMessage) bool { return describe.SameOutcome(stored, tests) }
	}
	return append(sboms[:len(sboms):len(sboms)], said, outcome), nil
}

// subjects returns the image's index and platforms, under the name that they are signed for.
// Each also gets a statement about which release it is: tags point to the index, and in copies
// of some clients to only one platform's image.
func (i Image) subjects(name string, tags []string) ([]attest.Subject, error) {
	released := i.released
	released.Tags = tags
	which, err := released.Statement()
	if err != nil {
		return nil, err
	}
	var subjects []attest.Subject
	for _, s := range i.statements {
		subjects = append(subjects, attest.Subject{Name: name, Descriptor: s.of,
			Statements: append(slices.Clip(s.all), which)})
	}
	return subjects, nil
}
