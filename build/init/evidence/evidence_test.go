package evidence

import (
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/init/finding"
)

// TestOnce wants one line for a text that is read for several programs.
func TestOnce(t *testing.T) {
	line := func(number int, text string, o finding.Outcome, reason, pkg string) finding.Line {
		return finding.Line{Place: finding.Place{File: "Makefile", Line: number}, Text: text, Outcome: o,
			Reason: reason, Package: pkg}
	}
	imported := line(7, "-X main.version={{.Version}}", finding.Imported, "LDFlags", "./cmd/b")
	byHand := line(8, "-tags $(TAGS)", finding.ByHand, "init does not know its value", "./cmd/a")
	byHandToo := line(8, "-tags $(TAGS)", finding.ByHand, "init does not know its value", "./cmd/b")
	elsewhere := line(9, "-s", finding.NotNeeded, "thimble does the same", "")
	got := once([]finding.Line{
		line(7, "-X main.version={{.Version}}", finding.NotNeeded, "another line decides it", "./cmd/a"),
		imported, imported, byHand, byHandToo, byHand, elsewhere, elsewhere,
		line(10, "-s", finding.NotNeeded, "thimble does the same", ""),
	})
	want := []finding.Line{imported, byHand, byHandToo, elsewhere,
		line(10, "-s", finding.NotNeeded, "thimble does the same", "")}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestRuns wants the lines of the commands that became Before.
func TestRuns(t *testing.T) {
	for _, test := range []struct {
		text    string
		command []string
		want    bool
	}{
		{"RUN npm ci", []string{"npm", "ci"}, true},
		{"RUN  npm  ci", []string{"sh", "-c", "cd ui && npm ci"}, true},
		{"RUN npm run build", []string{"sh", "-c", "cd ui && npm ci"}, false},
		{"RUN apk add nodejs", []string{"npm", "ci"}, false},
	} {
		if got := runs(test.command, test.text); got != test.want {
			t.Errorf("%q runs %q: %v", test.command, test.text, got)
		}
	}
}
