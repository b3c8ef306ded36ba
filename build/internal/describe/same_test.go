package describe

import (
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// stable is a release whose image has inputs of its own.
func stable() ProvenanceInput {
	in := released()
	in.Plan.InputPlatforms = in.Plan.Platforms
	in.Config.StableDigests = true
	in.Plan.Images[0].Inputs = &plan.Inputs{Revision: strings.Repeat("a", 40), Version: "v0.0.0-20260101000000-aaaaaaaaaaaa", SourceDateEpoch: 7}
	in.Plan.Images = append(in.Plan.Images, plan.Image{Name: "job", Base: "debian", Inputs: &plan.Inputs{Revision: in.Plan.Revision}})
	in.Plan.Lock = &plan.Lock{Version: 1}
	in.Builder.ID = "https://github.com/acme/api/.github/workflows/release.yml@refs/tags/v1.2.3"
	return in
}

// A later release of the same image says the same of it, but for the commit; all else
// that differs is another build.
func TestSameInputs(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*ProvenanceInput)
		same   bool
	}{
		"the commit": {func(in *ProvenanceInput) {
			in.Plan.Revision, in.Plan.Version, in.Plan.SourceDateEpoch = strings.Repeat("b", 40), "v1.3.0", 8
			in.Plan.Images[0].Tags, in.Config.Version = []string{"v1.3.0"}, "v1.3.0"
			in.Builder = Builder{ID: "https://github.com/acme/api/.github/workflows/release.yml@refs/tags/v1.3.0", InvocationID: "2"}
		}, true},
		"another image": {func(in *ProvenanceInput) {
			in.Plan.Images[1].Inputs.Revision = strings.Repeat("c", 40)
			in.Plan.Lock = &plan.Lock{Version: 1, Debian: []plan.DebianLock{{Suite: "trixie"}}}
			in.Config.Images = append(in.Config.Images, plan.ImageConfig{Package: "./cmd/more"})
		}, true},
		"a dirty file that is no input": {func(in *ProvenanceInput) { in.Plan.Dirty, in.Plan.DirtyFile = true, "README.md" }, true},
		"its inputs":                    {func(in *ProvenanceInput) { in.Plan.Images[0].Inputs.Revision = strings.Repeat("b", 40) }, false},
		"a dirty input":                 {func(in *ProvenanceInput) { in.Plan.Images[0].Inputs.DirtyFile = "main.go" }, false},
		"no inputs":                     {func(in *ProvenanceInput) { in.Plan.Images[0].Inputs = nil }, false},
		"its settings":                  {func(in *ProvenanceInput) { in.Plan.Images[0].Runtime.Args = []string{"serve"} }, false},
		"the toolchain":                 {func(in *ProvenanceInput) { in.Plan.Toolchain.Version = "go1.26.9" }, false},
		"a switched-off check":          {func(in *ProvenanceInput) { in.Overrides.FailingTests = true }, false},
		"another workflow": {func(in *ProvenanceInput) {
			in.Builder.ID = "https://github.com/acme/api/.github/workflows/other.yml@refs/tags/v1.2.3"
		}, false},
		"a module":                {func(in *ProvenanceInput) { in.Images[0].Modules[0].Sum = sumOf(0x55) }, false},
		"the source's repository": {func(in *ProvenanceInput) { in.Plan.Source = "https://github.com/evil/api" }, false},
	} {
		in := stable()
		test.change(&in)
		if got := SameInputs(provenance(t, stable()), provenance(t, in)); got != test.same {
			t.Errorf("%s: same is %t", name, got)
		}
	}
	if SameInputs([]byte("{}"), []byte("{}")) || SameInputs([]byte("["), []byte("[")) {
		t.Error("what is no provenance suffices")
	}
}

func TestSameOutcome(t *testing.T) {
	outcome := func(change func(*TestInput)) []byte {
		in := TestInput{Plan: released().Plan, Passed: []string{"example.com/a", "example.com/b"}}
		change(&in)
		b, err := TestResult(in)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	passed := outcome(func(*TestInput) {})
	for name, test := range map[string]struct {
		change func(*TestInput)
		same   bool
	}{
		"another commit, and a test more": {func(in *TestInput) {
			in.Plan.Revision, in.Passed = strings.Repeat("b", 40), append(in.Passed, "example.com/c")
		}, true},
		"a failure":           {func(in *TestInput) { in.Failed = []string{"example.com/c"} }, false},
		"none was run":        {func(in *TestInput) { in.Passed, in.Skipped = nil, true }, false},
		"called in a new way": {func(in *TestInput) { in.Config.Race = true }, false},
	} {
		if got := SameOutcome(passed, outcome(test.change)); got != test.same {
			t.Errorf("%s: same is %t", name, got)
		}
	}
	failed := func(in *TestInput) { in.Failed = []string{"example.com/c"} }
	if SameOutcome(outcome(failed), outcome(failed)) || SameOutcome([]byte("{}"), []byte("{}")) {
		t.Error("a failure suffices")
	}
}
