package discover

import (
	"testing"

	"github.com/thimble-build/thimble/build/init/finding"
)

// TestSettle wants the outcome of lines of files that do not decide, and of lines about further
// programs and about programs without an image.
func TestSettle(t *testing.T) {
	at := func(file string, line int) finding.Place { return finding.Place{File: file, Line: line} }
	programs := []finding.Program{
		{Package: "./cmd/shop", From: at(".goreleaser.yml", 4),
			Programs: []finding.Value[string]{finding.Found("./cmd/shopctl", at("Dockerfile", 9))},
			Build: finding.Build{LDFlags: []finding.Value[string]{
				finding.Found("-X=main.version={{.Version}}", at(".goreleaser.yml", 8))}}},
		{Module: "server", Package: ".", From: at("Dockerfile", 3),
			Build: finding.Build{Tags: []finding.Value[string]{finding.Found("sqlite", at("Makefile", 7))}}},
	}
	for _, test := range []struct {
		name string
		line finding.Line
		want finding.Line
	}{
		{"the line that decides",
			finding.Line{Place: at(".goreleaser.yml", 8), Outcome: finding.Imported, Reason: "LDFlags", Package: "./cmd/shop"},
			finding.Line{Outcome: finding.Imported, Reason: "LDFlags"}},
		{"a further program",
			finding.Line{Place: at("Makefile", 5), Outcome: finding.Imported, Reason: "Images", Package: "./cmd/shopctl"},
			finding.Line{Outcome: finding.NotNeeded, Reason: "another line decides it: .goreleaser.yml:4"}},
		{"a copy of programs that get no image",
			finding.Line{Place: at("test/Dockerfile", 5), Outcome: finding.Imported, Reason: "Programs: ./traffic", Module: "tests", Package: "./entrypoint"},
			finding.Line{Outcome: finding.NotNeeded, Reason: "no image is made of tests/entrypoint"}},
		{"something to do by hand for a program that gets no image",
			finding.Line{Place: at("test/Dockerfile", 6), Outcome: finding.ByHand, Reason: "a URL", Write: "x", Setting: "Assets", Module: "tests", Package: "./entrypoint"},
			finding.Line{Outcome: finding.NotNeeded, Reason: "no image is made of tests/entrypoint"}},
		{"flags of a file that does not decide them",
			finding.Line{Place: at("Makefile", 6), Outcome: finding.ByHand, Reason: "init does not know its value", Setting: "LDFlags", Package: "./cmd/shop"},
			finding.Line{Outcome: finding.NotNeeded, Reason: "another line decides it: .goreleaser.yml:8"}},
		{"tags of the file that would decide them, and that init does not know",
			finding.Line{Place: at("Dockerfile", 2), Outcome: finding.ByHand, Reason: "init does not know its value", Setting: "BuildTags", Module: "server", Package: "."},
			finding.Line{Outcome: finding.ByHand, Reason: "init does not know its value"}},
		{"a tag that needs cgo, on a line with others",
			finding.Line{Place: at("Makefile", 7), Outcome: finding.Imported, Reason: "BuildTags", Text: "-tags netgo", Module: "server", Package: "."},
			finding.Line{Outcome: finding.NotNeeded, Reason: "its tags change nothing in a program without cgo"}},
	} {
		got := Settle([]finding.Line{test.line}, programs)[0]
		if got.Outcome != test.want.Outcome || got.Reason != test.want.Reason {
			t.Errorf("%s: %s: %s, want %s: %s", test.name, got.Outcome, got.Reason, test.want.Outcome, test.want.Reason)
		}
		if got.Outcome == finding.NotNeeded && got.Write+got.Setting != "" {
			t.Errorf("%s: %q for %q is still to do", test.name, got.Write, got.Setting)
		}
	}
}
