package debian

import (
	"fmt"
	"strings"
)

// paragraph is a paragraph of a control file (deb822(5)): its fields by name in lower case. The
// lines of a value are joined by "\n", each without the surrounding blanks.
type paragraph map[string]string

// paragraphs parses a whole control file and calls visit with each paragraph. It returns only the
// fields in want, in lower case; all of them if want is nil. Values share their memory with text.
func paragraphs(text string, want map[string]bool, visit func(paragraph) error) error {
	p := paragraph{}
	last := "" // the field that a continuation line belongs to; empty if it is not wanted
	seen, line := false, 0
	flush := func() error {
		if !seen {
			return nil
		}
		done := p
		p, last, seen = paragraph{}, "", false
		return visit(done)
	}
	for text != "" {
		var l string
		l, text, _ = strings.Cut(text, "\n")
		line++
		l = strings.TrimSuffix(l, "\r")
		switch {
		case strings.Trim(l, " \t") == "":
			if err := flush(); err != nil {
				return err
			}
		case l[0] == '#':
		case l[0] == ' ' || l[0] == '\t':
			if !seen {
				return fmt.Errorf("line %d continues no field", line)
			}
			if last != "" {
				p[last] += "\n" + strings.Trim(l, " \t")
			}
		default:
			name, value, ok := strings.Cut(l, ":")
			if !ok || name == "" || strings.ContainsAny(name, " \t") {
				return fmt.Errorf("line %d is not a field", line)
			}
			seen = true
			last = strings.ToLower(name)
			if want != nil && !want[last] {
				last = ""
				continue
			}
			if _, twice := p[last]; twice {
				return fmt.Errorf("line %d has the field %s again", line, name)
			}
			p[last] = strings.Trim(value, " \t")
		}
	}
	return flush()
}

// first returns the first paragraph of a control file with all fields.
func first(text string) (paragraph, error) {
	var all []paragraph
	err := paragraphs(text, nil, func(p paragraph) error {
		all = append(all, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("it is empty")
	}
	return all[0], nil
}
