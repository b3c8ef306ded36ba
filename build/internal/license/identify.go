package license

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/licensecheck"
)

// pattern returns a function that compiles a pattern at its first call. Most commands need none of
// these, and compiling them takes a part of a command's start.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// coverage is the part of a text, in per cent of its words, that licensecheck must recognise.
// pkg.go.dev requires the same.
const coverage = 75

// finding is the result for one text.
type finding struct {
	IDs        []string `json:"ids,omitempty"`
	Choice     string   `json:"choice,omitempty"`
	Copyrights []string `json:"copyrights,omitempty"`
}

var (
	// reservation matches a word that, outside a licence's text, may restrict or extend the
	// licence.
	reservation = pattern(
		`\b(?:not|no|except\w*|unless|notwithstanding|only|restrict\w*|prohibit\w*|forbid\w*|additional ` +
			`(?:terms?|permissions?|requirements?)|commercial\w*|proprietary|conditions?|limit\w*|must)\b`)
	// laterVersion is the choice that the GNU licences give between versions.
	laterVersion = pattern(`\(?at your option\)? any later version`)
	choice       = pattern(
		`under (?:the terms of )?either\b|\beither of the (?:following|two)\b|\bat your ` +
			`(?:option|choice)\b|\bdual[- ]licen[sc]ed under (?:\S+ ){1,20}?or\b|\byou (?:may|can) ` +
			`choose\b|\byour choice of\b`)
)

// identify reads a licence text.
func identify(text []byte) finding {
	cov := licensecheck.Scan(text)
	f := finding{Copyrights: copyrights(text)}

	// rest is the text outside of the recognised licences.
	var rest []byte
	var texts, urls []string
	end := 0
	for _, m := range cov.Match {
		if m.IsURL {
			urls = append(urls, m.ID)
			continue
		}
		texts = append(texts, m.ID)
		rest = append(append(rest, text[end:m.Start]...), '\n')
		end = m.End
	}
	rest = append(rest, text[end:]...)

	words := strings.Join(strings.Fields(strings.ToLower(withoutCopyrights(rest))), " ")
	plain := laterVersion().ReplaceAllString(words, "")
	if at := choice().FindStringIndex(plain); at != nil {
		f.Choice = excerpt(plain, at[0], at[1])
	}

	if cov.Percent < coverage || reservation().MatchString(words) {
		return f
	}
	for _, u := range urls {
		if !slices.Contains(texts, u) {
			return f // it refers to another licence, for an unknown purpose
		}
	}
	if ids, ok := spdxIDs(texts, words); ok {
		f.IDs = ids
	}
	return f
}

// excerpt returns the part of s around s[from:to] that a reader needs to judge it.
func excerpt(s string, from, to int) string {
	const around = 200
	return strings.ToValidUTF8(s[max(0, from-around):min(len(s), to+around)], "")
}

// mentions says whether the statement names the licence: by the first part of its identifier,
// such as "mit", "apache" or "bsd".
func mentions(statement, id string) bool {
	family, _, _ := strings.Cut(strings.ToLower(id), "-")
	return slices.Contains(strings.FieldsFunc(statement, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), family)
}

var (
	copyrightLine = pattern(
		`^(?:Copyright|COPYRIGHT|©|\([cC]\))(?:\W.*)?(?:\d{4}|\([cC]\)|©)|^Copyright [Tt]he .+ ` +
			`(?:[Aa]uthors|[Cc]ontributors)`)
	placeholder = pattern(`(?i)\[(?:yyyy|year|name)|<(?:year|name)|\{(?:yyyy|year|name)`)
)

// copyrights returns the lines of the text that state a copyright.
func copyrights(text []byte) []string {
	var found []string
	for line := range bytes.Lines(text) {
		if len(line) > 300 {
			continue
		}
		s := strings.Join(strings.Fields(strings.Trim(strings.ToValidUTF8(string(line), ""), " \t\r\n#*/;")),
			" ")
		if isCopyright(s) {
			found = append(found, s)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func isCopyright(line string) bool {
	return copyrightLine().MatchString(line) && !placeholder().MatchString(line)
}

func withoutCopyrights(text []byte) string {
	var b strings.Builder
	for line := range bytes.Lines(text) {
		s := strings.Trim(string(line), " \t\r\n#*/;")
		if !isCopyright(s) {
			b.WriteString(s)
			b.WriteByte('\n')
		}
	}
	return b.String()
}
