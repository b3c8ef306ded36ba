// Package ldflags parses linker flags as the go command and the Go linker do. It says which of
// them are allowed in a rebuild of untrusted source: those that change only the content of the
// binary. It runs nothing.
package ldflags

import (
	"fmt"
	"strings"
)

// Join returns words as one value of the go command's -ldflags, which splits it at white space
// and supports quotes of either kind, but no escapes. A word that has both kinds is an error.
func Join(words []string) (string, error) {
	quoted := make([]string, len(words))
	for i, w := range words {
		switch {
		case w != "" && !strings.ContainsAny(w, space+`'"`):
			quoted[i] = w
		case !strings.Contains(w, "'"):
			quoted[i] = "'" + w + "'"
		case !strings.Contains(w, `"`):
			quoted[i] = `"` + w + `"`
		default:
			return "", fmt.Errorf(
				"linker flag %q has both kinds of quotes, which the go command does not accept; use only "+
					"one kind", w)
		}
	}
	return strings.Join(quoted, " "), nil
}

// space are the bytes that separate words (cmd/internal/quoted).
const space = " \t\n\r"

// Split splits a value of -ldflags into words as the go command does.
func Split(value string) (words []string, err error) {
	for rest := strings.TrimLeft(value, space); rest != ""; rest = strings.TrimLeft(rest, space) {
		if quote := rest[:1]; quote == "'" || quote == `"` {
			word, after, ok := strings.Cut(rest[1:], quote)
			if !ok {
				return nil, fmt.Errorf("linker flags %q have a quote that does not end", value)
			}
			words, rest = append(words, word), after
			continue
		}
		end := strings.IndexAny(rest, space)
		if end < 0 {
			end = len(rest)
		}
		words, rest = append(words, rest[:end]), rest[end:]
	}
	return words, nil
}
