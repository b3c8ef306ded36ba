package yamlscalar

import (
	"errors"
	"strings"
)

// blockChanges replaces a block scalar, which begins at start with | or >. A comment behind these
// stays. The lines of the text go.
func blockChanges(src []byte, start int, value, text string) ([]change, error) {
	if start >= len(src) || src[start] != '|' && src[start] != '>' {
		return nil, errors.New("the | or > at the beginning of the text was not found")
	}
	head := start + 1
	for head < len(src) && strings.IndexByte("+-0123456789", src[head]) >= 0 {
		head++
	}
	first := lineEnd(src, head)
	end, err := blockEnd(src, first, value)
	if err != nil {
		return nil, err
	}
	return []change{{start, head, text}, {first, end, ""}}, nil
}

// blockEnd returns the end of the last line of a block's text that is not blank, without its line
// break. at is the end of the line above the text.
func blockEnd(src []byte, at int, value string) (int, error) {
	indent, end := -1, -1
	for at < len(src) {
		begin := at + breakLen(src[at:])
		at = lineEnd(src, begin)
		line := string(src[begin:at])
		spaces := len(line) - len(strings.TrimLeft(line, " "))
		if spaces == len(line) {
			continue
		}
		if indent < 0 {
			indent = spaces - spacesInFirst(value)
		}
		if spaces < indent || indent == 0 && isMarker(line) {
			break
		}
		end = at
	}
	if end < 0 || indent < 0 {
		return 0, errors.New("the lines of the text were not found")
	}
	return end, nil
}

// spacesInFirst returns how many spaces begin the first line of a text that is not blank: they do
// not belong to the indentation.
func spacesInFirst(value string) int {
	for line := range strings.Lines(value) {
		line = strings.TrimRight(line, "\n")
		if trimmed := strings.TrimLeft(line, " "); trimmed != "" {
			return len(line) - len(trimmed)
		}
	}
	return 0
}

// isMarker reports whether a line begins or ends a document.
func isMarker(line string) bool {
	rest, ok := strings.CutPrefix(line, "---")
	if !ok {
		rest, ok = strings.CutPrefix(line, "...")
	}
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// lineEnd returns the offset of the next line break, or of the end.
func lineEnd(src []byte, at int) int {
	for at < len(src) && breakLen(src[at:]) == 0 {
		at++
	}
	return at
}
