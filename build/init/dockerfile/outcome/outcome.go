// Package outcome collects what becomes of each line of a Dockerfile. A line gets an outcome when
// its instruction is read. Whoever reads a later instruction, or makes the settings of an image,
// can change it: the functions return the line for that.
package outcome

import (
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
)

// Lines are the outcomes of a Dockerfile, in the order in which they were found.
type Lines struct{ all []*finding.Line }

// All returns the lines.
func (l *Lines) All() []*finding.Line { return l.all }

// Add adds a line with its outcome.
func (l *Lines) Add(line finding.Line) *finding.Line {
	l.all = append(l.all, &line)
	return &line
}

// Say adds the outcome of an instruction.
func (l *Lines) Say(i syntax.Instruction, o finding.Outcome, reason string) *finding.Line {
	return l.Add(finding.Line{Place: i.Place, Text: i.Text, Outcome: o, Reason: reason})
}

// Invalid adds an instruction that is not valid, or has no meaning at its place.
func (l *Lines) Invalid(i syntax.Instruction) {
	reason := "it has no meaning here"
	if i.Err != nil {
		reason = "it is not valid: " + FirstLine(i.Err)
	}
	l.Say(i, finding.ByHand, reason)
}

// NoneNeeded says for all lines why no setting is needed.
func (l *Lines) NoneNeeded(reason string) {
	for _, line := range l.all {
		line.Outcome, line.Reason, line.Write, line.Setting = finding.NotNeeded, reason, "", ""
	}
}

// Sorted returns the lines in the order of the file.
func (l *Lines) Sorted() []finding.Line {
	var all []finding.Line
	for _, line := range l.all {
		all = append(all, *line)
	}
	slices.SortStableFunc(all, func(a, b finding.Line) int { return a.Line - b.Line })
	return all
}

// FirstLine returns the first line of an error.
func FirstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// ByHand says that the user has to replace a line: in which setting, and what to write.
func ByHand(l *finding.Line, setting, reason, write string) {
	l.Outcome, l.Setting, l.Reason, l.Write = finding.ByHand, setting, reason, write
}

// Imported says which setting of thimble a line became.
func Imported(l *finding.Line, reason string) { l.Outcome, l.Reason = finding.Imported, reason }

// NotNeeded says why thimble does the same without a line.
func NotNeeded(l *finding.Line, reason string) { l.Outcome, l.Reason = finding.NotNeeded, reason }

// Replace marks the line of a setting that a later line replaces. The line may be nil.
func Replace(l *finding.Line, by int) {
	if l != nil && l.Outcome != finding.ByHand {
		NotNeeded(l, ReplacedBy(by))
	}
}

// ReplacedBy returns the reason for what a later line replaces.
func ReplacedBy(line int) string { return "line " + strconv.Itoa(line) + " replaces it" }

// AddReason adds a reason to those of a line, unless it is there.
func AddReason(reasons []string, reason string) []string {
	if slices.Contains(reasons, reason) {
		return reasons
	}
	return append(reasons, reason)
}
