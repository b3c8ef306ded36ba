package state

import (
	"slices"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/finding"
)

// Setting is a value of an image with the outcome of its instruction, which changes if a later
// line replaces it. Line is nil if no instruction has set it.
type Setting[T any] struct {
	Value T
	Line  *finding.Line
}

// Command is an ENTRYPOINT or a CMD.
type Command struct {
	Words []string
	// Shell says that a shell runs Words[0].
	Shell bool
}

// Variable is a variable or a label.
type Variable struct{ Name, Value string }

// Set reports whether an instruction has set it.
func (s Setting[T]) Set() bool { return s.Line != nil }

// From returns the place of the instruction.
func (s Setting[T]) From() finding.Place {
	if s.Line == nil {
		return finding.Place{}
	}
	return s.Line.Place
}

// Found returns the value with its place.
func (s Setting[T]) Found() finding.Value[T] { return finding.Found(s.Value, s.From()) }

// Replace sets a value. The line of the earlier value is not needed any more.
func (s *Setting[T]) Replace(value T, line *finding.Line) {
	outcome.Replace(s.Line, line.Line)
	*s = Setting[T]{value, line}
}

// SetVariable adds or replaces a variable or a label.
func SetVariable(list []Setting[Variable], name, value string, line *finding.Line) []Setting[Variable] {
	s := Setting[Variable]{Variable{name, value}, line}
	at := slices.IndexFunc(list, func(o Setting[Variable]) bool { return o.Value.Name == name })
	if at < 0 {
		return append(list, s)
	}
	old := list[at].Line
	list[at] = s
	if !slices.ContainsFunc(list, func(o Setting[Variable]) bool { return o.Line == old }) {
		outcome.Replace(old, line.Line)
	}
	return list
}
