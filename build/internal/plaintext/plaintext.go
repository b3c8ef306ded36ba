// Package plaintext prints untrusted text: names, annotations and platforms of images, subjects
// of certificates and commits, answers of registries. Such text may try to move a terminal's
// cursor, to look like a line of thimble's output, or to be a command to the CI server that reads
// the output. The result is one line of visible characters without commands; the original bytes
// are for JSON.
package plaintext

import (
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Line returns a text as part of one line. Invisible characters, and white space other than
// blanks, are written as in a Go string: line ends, controls (C0, C1, ESC, DEL), U+2028 and
// U+2029, characters that change the direction of writing, bytes that are not UTF-8. Commands to
// CI servers are broken up.
func Line(text string) string { return withoutCommands(visible(text)) }

func visible(text string) string {
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case hidden(r):
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}

// hidden is also true for U+FFFD, which replaces bad UTF-8.
func hidden(r rune) bool { return !strconv.IsPrint(r) || r == utf8.RuneError }

// commands matches the beginning of commands of GitHub, Azure and TeamCity, anywhere in a line.
var commands = regexp.MustCompile(`::+|##+(vso|teamcity)?\[`)

func withoutCommands(text string) string {
	if !strings.Contains(text, "::") && !strings.Contains(text, "##") {
		return text
	}
	var b strings.Builder
	end := 0
	for _, at := range commands.FindAllStringIndex(text, -1) {
		if isIPv6(text, at[0]) {
			continue
		}
		b.WriteString(text[end : at[0]+1])
		for _, c := range text[at[0]+1 : at[1]] {
			if c == ':' || c == '#' {
				b.WriteByte('\\')
			}
			b.WriteRune(c)
		}
		end = at[1]
	}
	return b.String() + text[end:]
}

// isIPv6 says whether the position is within an address in brackets, such as [::1]:5000.
func isIPv6(text string, at int) bool {
	open := strings.LastIndexByte(text[:at], '[')
	length := strings.IndexByte(text[at:], ']')
	if open < 0 || length < 0 {
		return false
	}
	_, err := netip.ParseAddr(text[open+1 : at+length])
	return err == nil && !strings.Contains(text[open+1:at+length], "%")
}

// Lines returns an error's text or a program's output, which may have several lines. The first is
// as in Line; each other one begins with a bar, so that it cannot look like a line of thimble's
// output. Tabs are blanks there.
func Lines(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	for i, line := range lines {
		lines[i] = Line(strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\t", "    "))
		if i > 0 {
			lines[i] = strings.TrimRight("  | "+lines[i], " ")
		}
	}
	return strings.Join(lines, "\n")
}

// Error returns an error whose text is as in [Lines]; nil stays nil.
func Error(err error) error {
	if err == nil {
		return nil
	}
	return shown{err}
}

type shown struct{ error }

func (s shown) Error() string { return Lines(s.error.Error()) }

func (s shown) Unwrap() error { return s.error }

// Trusted is thimble's text, which Fprintf does not change.
type Trusted string

// Fprintf is fmt.Fprintf with each value as in Line: only the format is trusted, and a value may
// contain untrusted text at any depth.
func Fprintf(w io.Writer, format string, values ...any) (int, error) {
	return io.WriteString(w, Sprintf(format, values...))
}

// Sprintf is to fmt.Sprintf as Fprintf is to fmt.Fprintf.
func Sprintf(format string, values ...any) string {
	for i, v := range values {
		switch v := v.(type) {
		case nil, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64,
			float32, float64, Trusted:
		case string:
			values[i] = Line(v)
		default: // with its methods, Error or String
			values[i] = Line(fmt.Sprint(v))
		}
	}
	return fmt.Sprintf(format, values...)
}

// Markdown returns a text as in Line, without Markdown (CommonMark 0.31, GitHub's tables and
// links) or HTML.
func Markdown(text string) string { return markdown(Line(text)) }

var markdown = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", `*`, `\*`, `_`, `\_`, `[`, `\[`, `]`, `\]`, `<`, `&lt;`, `>`, `&gt;`, `#`, `\#`,
	`|`, `\|`, `~`, `\~`, `&`, `&amp;`, `!`, `\!`,
	`://`, `:\//`, `www.`, `www\.`,
).Replace

// Code returns a text as code in Markdown, which is also valid in a table.
func Code(text string) string {
	return "`" + strings.NewReplacer("`", `\x60`, "|", `\x7c`).Replace(Line(text)) + "`"
}
