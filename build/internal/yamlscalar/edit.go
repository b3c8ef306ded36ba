package yamlscalar

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// change replaces the bytes from start to end.
type change struct {
	start, end int
	text       string
}

// edit replaces scalars.
func edit(src []byte, values map[*yaml.Node]string) ([]byte, error) {
	at := newPositions(src)
	nodes := slices.SortedFunc(maps.Keys(values), func(a, b *yaml.Node) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var changes []change
	for _, node := range nodes {
		of, err := at.replace(node, values[node])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", node.Line, err)
		}
		changes = append(changes, of...)
	}
	var out bytes.Buffer
	done := 0
	for _, c := range changes {
		if c.start < done {
			return nil, fmt.Errorf("two scalars are at the same place, at byte %d", c.start)
		}
		out.Write(src[done:c.start])
		out.WriteString(c.text)
		done = c.end
	}
	out.Write(src[done:])
	return out.Bytes(), nil
}

// replace returns the changes that give a scalar a value.
func (p *positions) replace(node *yaml.Node, value string) ([]change, error) {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, fmt.Errorf("the new value %q has other characters than printable ASCII", value)
	}
	start, err := p.offset(node.Line, node.Column)
	if err != nil {
		return nil, err
	}
	start = skipProperties(p.src, start)
	rest := p.src[start:]
	style := node.Style &^ yaml.TaggedStyle
	switch {
	case style == yaml.LiteralStyle || style == yaml.FoldedStyle:
		return blockChanges(p.src, start, node.Value, quote(value))
	case style == yaml.DoubleQuotedStyle && bytes.HasPrefix(rest, []byte(`"`)):
		end, err := endOfDouble(p.src, start)
		return []change{{start, end, quote(value)}}, err
	case style == yaml.SingleQuotedStyle && bytes.HasPrefix(rest, []byte("'")):
		end, err := endOfSingle(p.src, start)
		text := "'" + strings.ReplaceAll(value, "'", "''") + "'"
		if err == nil && hasBreak(p.src[start:end]) {
			text = quote(value)
		}
		return []change{{start, end, text}}, err
	case style == 0 && bytes.HasPrefix(rest, []byte(node.Value)):
		text := value
		if !plain.MatchString(value) {
			text = quote(value)
		}
		return []change{{start, start + len(node.Value), text}}, nil
	case style == 0:
		return nil, fmt.Errorf("the text is on several lines without quotes; write it on one line")
	}
	return nil, fmt.Errorf("the beginning of the text was not found; write it in quotes, on one line")
}

// plain matches values that need no quotes in any context, and that are strings: they have a slash
// between letters and digits, and no character with a meaning.
var plain = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._:-]*/[a-zA-Z0-9._/@:-]*[a-zA-Z0-9]$`)

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quote returns printable ASCII in double quotes.
func quote(value string) string { return `"` + escapes.Replace(value) + `"` }

// endOfDouble returns the offset behind the quotation mark that ends a text, which begins at start.
func endOfDouble(src []byte, start int) (int, error) {
	for i := start + 1; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("the quotation mark at the end was not found")
}

func endOfSingle(src []byte, start int) (int, error) {
	for i := start + 1; i < len(src); i++ {
		if src[i] != '\'' {
			continue
		}
		if i+1 < len(src) && src[i+1] == '\'' {
			i++
			continue
		}
		return i + 1, nil
	}
	return 0, fmt.Errorf("the quotation mark at the end was not found")
}

// skipProperties returns where a scalar begins behind its anchor and tag, and the comments and
// line breaks between them.
func skipProperties(src []byte, at int) int {
	for at < len(src) {
		switch c := src[at]; {
		case c == ' ' || c == '\t' || breakLen(src[at:]) > 0:
			at += max(1, breakLen(src[at:]))
		case c == '#':
			for at < len(src) && breakLen(src[at:]) == 0 {
				at++
			}
		case c == '&' || c == '!':
			for at < len(src) && src[at] != ' ' && src[at] != '\t' && breakLen(src[at:]) == 0 {
				at++
			}
		default:
			return at
		}
	}
	return at
}

// positions finds the offsets of lines and columns, as yaml counts them.
type positions struct {
	src   []byte
	lines []int // the offset of each line

	// at is the offset of the last column that was asked for. A whole file can be one line.
	line, column, at int
}

func newPositions(src []byte) *positions {
	p := &positions{src: src, lines: []int{0}}
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) { // it is in no column
		p.lines[0] = 3
	}
	for i := p.lines[0]; i < len(src); {
		if n := breakLen(src[i:]); n > 0 {
			i += n
			p.lines = append(p.lines, i)
		} else {
			i++
		}
	}
	return p
}

// offset returns the offset of a column, counted in characters; both count from 1. It is fast for
// positions in ascending order.
func (p *positions) offset(line, column int) (int, error) {
	if line < 1 || line > len(p.lines) {
		return 0, fmt.Errorf("the text has no line %d", line)
	}
	if line != p.line || column < p.column {
		p.line, p.column, p.at = line, 1, p.lines[line-1]
	}
	for ; p.column < column; p.column++ {
		if p.at >= len(p.src) {
			return 0, fmt.Errorf("the line has no column %d", column)
		}
		_, n := utf8.DecodeRune(p.src[p.at:])
		p.at += n
	}
	return p.at, nil
}

// breakLen returns the length of the line break at the beginning of b, in bytes; 0 if there is
// none. YAML 1.1 has more of them than YAML 1.2, and the parser keeps to 1.1.
func breakLen(b []byte) int {
	for _, s := range []string{"\r\n", "\n", "\r", "\u0085", "\u2028", "\u2029"} {
		if len(b) >= len(s) && string(b[:len(s)]) == s {
			return len(s)
		}
	}
	return 0
}

func hasBreak(b []byte) bool {
	for i := range b {
		if breakLen(b[i:]) > 0 {
			return true
		}
	}
	return false
}
