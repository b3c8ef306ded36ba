package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/thimble-build/thimble/build/init/discover"
	"github.com/thimble-build/thimble/build/init/evidence"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/internal/plaintext"
)

// table prints what became of each line of the repository's files.
func table(b *bytes.Buffer, f *evidence.Found) {
	images := func(title string, rows [][2]string) {
		if len(rows) == 0 {
			return
		}
		fmt.Fprintf(b, "\n%s\n", title)
		w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		for _, row := range rows {
			fmt.Fprintf(w, "  %s\t%s\n", plaintext.Line(row[0]), plaintext.Line(row[1]))
		}
		_ = w.Flush() // to memory
	}
	var chosen, left [][2]string
	for _, p := range f.Images {
		from := "it is under cmd/ or at the root"
		if p.From.File != "" {
			from = p.From.String()
		}
		chosen = append(chosen, [2]string{p.Package, from})
	}
	for _, l := range f.Left {
		folder := l.Package // as in Config, which names folders of the module
		if l.Module != f.Module {
			folder = "./" + path.Join(l.Module, l.Package)
		}
		left = append(left, [2]string{folder, l.Reason})
	}
	images("images", chosen)
	images("no images", left)
	for _, file := range filesOf(f.Lines) {
		fileTable(b, file, f.Lines)
	}
	if len(f.Disagreements) > 0 {
		b.WriteString("\nfiles disagree\n")
		for _, d := range f.Disagreements {
			plaintext.Fprintf(b, "  %s %s: %s (%s), not %s (%s)\n", d.Package, d.Setting, shorten(d.Choice),
				d.ChoiceFrom, shorten(d.Loser), d.LoserFrom)
		}
	}
	if len(f.Lines) > 0 {
		count := map[finding.Outcome]int{}
		for _, l := range f.Lines {
			count[l.Outcome]++
		}
		fmt.Fprintf(b, "\n%d lines imported, %d not needed, %d to do by hand (TODO in the magefile)\n",
			count[finding.Imported], count[finding.NotNeeded], count[finding.ByHand])
	}
}

func filesOf(lines []finding.Line) []string {
	var all []string
	for _, l := range lines {
		if !slices.Contains(all, l.File) {
			all = append(all, l.File)
		}
	}
	return all
}

// fileTable prints the lines of one file. If all have the same outcome and reason, it prints one.
func fileTable(b *bytes.Buffer, file string, lines []finding.Line) {
	var own []finding.Line
	for _, l := range lines {
		if l.File == file {
			own = append(own, l)
		}
	}
	fmt.Fprintf(b, "\n%s\n", plaintext.Line(file))
	first := own[0]
	if len(own) > 1 && !slices.ContainsFunc(own,
		func(l finding.Line) bool { return l.Outcome != first.Outcome || l.Reason != first.Reason }) {
		fmt.Fprintf(b, "  all lines  %s: %s\n", first.Outcome, plaintext.Line(first.Reason))
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, l := range own {
		text := l.Text
		if runes := []rune(text); len(runes) > 56 {
			text = string(runes[:55]) + "…"
		}
		fmt.Fprintf(w, "%5d  %s\t%s\t%s\n", l.Line, l.Outcome, plaintext.Line(text), plaintext.Line(l.Reason))
	}
	_ = w.Flush() // to memory
}

// document is what -json prints.
type document struct {
	Kit    string             `json:"kit"`
	Module string             `json:"module"`
	Root   string             `json:"root"`
	Files  []documentFile     `json:"files"`
	Images []documentImage    `json:"images"`
	Left   []discover.LeftOut `json:"left,omitempty"`
	Lines  []finding.Line     `json:"lines"`
	Differ []documentDisagree `json:"disagreements,omitempty"`
	Notes  []string           `json:"notes,omitempty"`
	ToDo   []string           `json:"missing,omitempty"`
}

type documentFile struct {
	Path   string `json:"path"`
	Action string `json:"action"`
}

type documentImage struct {
	Package  string   `json:"package"`
	Programs []string `json:"programs,omitempty"`
	From     string   `json:"from,omitempty"`
}

type documentDisagree = finding.Disagreement

// showJSON prints what will happen as JSON.
func (p *planned) showJSON(w io.Writer) error {
	d := document{Kit: p.kit.Version, Module: p.repo.module, Root: p.repo.root, Notes: p.notes,
		ToDo: p.missing, Lines: []finding.Line{}}
	for _, f := range p.files {
		d.Files = append(d.Files, documentFile{f.path, f.action()})
	}
	if f := p.repo.found; f != nil {
		d.Left, d.Differ = f.Left, f.Disagreements
		d.Lines = append(d.Lines, f.Lines...)
		for _, i := range f.Images {
			image := documentImage{Package: i.Package}
			if i.From.File != "" {
				image.From = i.From.String()
			}
			for _, other := range i.Programs {
				image.Programs = append(image.Programs, other.Value)
			}
			d.Images = append(d.Images, image)
		}
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// action returns what init does with a file.
func (f file) action() string {
	switch {
	case f.create():
		return "create"
	case f.writes():
		return "append"
	case f.differs():
		return "keep: it differs"
	}
	return "keep"
}

// heading returns the first line of the output.
func (p *planned) heading() string {
	text := fmt.Sprintf("thimble %s for %s in %s", p.kit.Version, p.repo.module, p.repo.root)
	if p.kit.Replace != "" {
		text = fmt.Sprintf(
			"thimble of the checkout %s for %s in %s; magefiles/go.mod replaces the kit with that folder, "+
				"so do not commit it", p.kit.Replace, p.repo.module, p.repo.root)
	}
	return strings.TrimSpace(text)
}
