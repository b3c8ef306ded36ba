package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/init/evidence"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/internal/plaintext"
)

// byHand returns the lines for which the magefile has a comment with TODO.
func byHand(lines []finding.Line) []finding.Line {
	var all []finding.Line
	for _, l := range lines {
		if l.Outcome == finding.ByHand {
			all = append(all, l)
		}
	}
	return all
}

// ofImage reports whether a line is about one of the images.
func ofImage(images []finding.Program, l finding.Line) bool {
	return slices.ContainsFunc(images, func(p finding.Program) bool {
		return p.Module == l.Module && p.Package == l.Package
	})
}

// ofRelease reports whether a line is about where images are pushed to, or about releases.
func ofRelease(l finding.Line) bool { return l.Setting == "Repository" || l.Setting == "Release" }

// releaseComments returns the comments for Repository or Release of Config, or "".
func releaseComments(f *evidence.Found, setting string) string {
	s := &source{byHand: byHand(f.Lines)}
	s.comments(setting)
	return strings.TrimSuffix(s.b.String(), "\n")
}

// has reports whether there is something to do by hand for a setting.
func (s *source) has(setting string) bool {
	return slices.ContainsFunc(s.byHand, func(l finding.Line) bool { return l.Setting == setting })
}

// comments writes what is to do by hand for a setting.
func (s *source) comments(setting string) {
	var own, others []finding.Line
	for _, l := range s.byHand {
		if l.Setting == setting {
			own = append(own, l)
		} else {
			others = append(others, l)
		}
	}
	s.comment(own)
	s.byHand = others
}

// rest writes what is left to do by hand.
func (s *source) rest() {
	s.comment(s.byHand)
	s.byHand = nil
}

// comment writes what is to do by hand. Lines of one file that have the same reason get one
// comment.
func (s *source) comment(lines []finding.Line) {
	for len(lines) > 0 {
		first := lines[0]
		var group, others []finding.Line
		for _, l := range lines {
			if l.File == first.File && l.Reason == first.Reason && l.Setting == first.Setting {
				group = append(group, l)
			} else {
				others = append(others, l)
			}
		}
		for _, line := range wrap(plaintext.Line(todo(group)), 96) {
			s.line("// %s", line)
		}
		lines = others
	}
}

// todo returns the text of a comment for lines of one file that have the same reason.
func todo(lines []finding.Line) string {
	var places, texts, writes []string
	add := func(to *[]string, text string) {
		if text != "" && !slices.Contains(*to, text) {
			*to = append(*to, text)
		}
	}
	for _, l := range lines {
		if len(places) == 0 {
			add(&places, l.Place.String())
		} else if l.Line != lines[0].Line {
			add(&places, strconv.Itoa(l.Line))
		}
		add(&texts, shorten(l.Text))
		add(&writes, l.Write)
	}
	text := fmt.Sprintf("TODO %s: %s: %s", strings.Join(places, ", "), strings.Join(texts, "; "),
		lines[0].Reason)
	switch len(writes) {
	case 0:
	case 1:
		text += ". To do: " + writes[0]
	default:
		text += ". To do, for the first: " + writes[0]
	}
	return text
}

// shorten returns the beginning of a long text.
func shorten(text string) string {
	if runes := []rune(text); len(runes) > 80 {
		return string(runes[:79]) + "…"
	}
	return text
}

// wrap splits a text at spaces into lines.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
