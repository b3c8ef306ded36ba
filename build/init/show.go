package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/thimble-build/thimble/build/internal/plaintext"
)

// advice is an error that contains only fixed text and commands to type.
type advice string

func (a advice) Error() string { return string(a) }

// shown returns an error without characters in names and files of an unknown repository that
// could control a terminal or a CI server.
func shown(err error) error {
	if own := advice(""); errors.As(err, &own) {
		return err
	}
	return plaintext.Error(err)
}

// show prints what will happen; in a dry run also the content.
func (p *planned) show(w io.Writer, dry bool) error {
	var b bytes.Buffer
	plaintext.Fprintf(&b, "%s\n\n", p.heading())
	for _, f := range p.files {
		switch {
		case f.create():
			plaintext.Fprintf(&b, "  create  %s\n", f.path)
		case f.writes():
			plaintext.Fprintf(&b, "  append  %s\n", f.path)
		case f.differs():
			plaintext.Fprintf(&b, "  keep    %s, which differs from what init would write\n", f.path)
		default:
			plaintext.Fprintf(&b, "  keep    %s\n", f.path)
		}
	}
	for _, f := range p.files {
		ours := f.path == "magefiles/go.sum" || f.path == "magefiles/mage.go" // the same for everybody
		if f.differs() || dry && f.writes() && !ours {
			was := f.path
			if f.create() {
				was = os.DevNull
			}
			b.WriteString("\n")
			for line := range strings.Lines(string(diff.Diff(was, f.was, f.path, f.text))) {
				cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
				for i, cell := range cells {
					cells[i] = plaintext.Line(cell)
				}
				b.WriteString(strings.Join(cells, "\t") + "\n")
			}
		}
	}
	if p.repo.found != nil {
		table(&b, p.repo.found)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// end prints what to do next.
func (p *planned) end(w io.Writer, dry bool) error {
	var b bytes.Buffer
	for _, note := range p.notes {
		fmt.Fprintf(&b, "\n%s\n", note)
	}
	if len(p.missing) > 0 {
		if _, err := w.Write(b.Bytes()); err != nil {
			return err
		}
		return advice(strings.Join(p.missing, "\n"))
	}
	if dry {
		fmt.Fprintf(&b, "\nNothing was written: this was a dry run.\n")
	} else {
		launcher := p.repo.here("magefiles/mage.go")
		fmt.Fprintf(&b, "\nNow make the first image:\n\n")
		if p.repo.found.Based() {
			fmt.Fprintf(&b, "    go run %s %s    # pins the base\n", launcher, targetName(p.alias, "lock"))
		}
		fmt.Fprintf(&b, "    go run %s %s\n", launcher, targetName(p.alias, "image"))
	}
	_, err := w.Write(b.Bytes())
	return err
}
