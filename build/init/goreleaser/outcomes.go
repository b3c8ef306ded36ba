package goreleaser

import (
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/init/yamltree"
)

// outcomes adds the outcomes of lines to a source.
type outcomes struct{ source *finding.Source }

func (o outcomes) at(line int) finding.Place { return finding.Place{File: o.source.File, Line: line} }

// add adds the outcome of a line.
func (o outcomes) add(line int, text string, outcome finding.Outcome, reason string) {
	o.source.Lines = append(o.source.Lines, finding.Line{Place: o.at(line), Text: text,
		Outcome: outcome, Reason: reason})
}

// byHand adds a line that the user has to replace.
func (o outcomes) byHand(line int, text, reason, setting, write string) {
	o.source.Lines = append(o.source.Lines, finding.Line{
		Place: o.at(line), Text: text, Outcome: finding.ByHand, Reason: reason,
		Setting: setting, Write: write,
	})
}

// show returns a key with its value, on one line.
func show(e yamltree.Entry) string {
	return strings.TrimSpace(e.Key + ": " + yamltree.Short(e.Value))
}

// templates are the values of GoReleaser's templates.
type templates struct {
	project string
	env     map[string]string
}

// translated returns a template as one of Config.LDFlags.
func (t templates) translated(text string) string { return stamp.GoReleaser(text, t.project, t.env) }
