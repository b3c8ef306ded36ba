// Package docs is tests of the pages that a user reads: README.md and docs/. They type
// every command, in the order of the page, and hold what comes against what the page shows.
//
// In a block of code, a line that begins with "$ " is a command, and the lines after it
// are what it prints. A block that follows a line which ends in "`path`:" is a file that
// the reader writes. All other blocks are for reading only, and must not begin a line
// with the name of a program.
package docs

import (
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// step is one thing that a page has its reader do.
type step struct {
	line    int    // of the page, from 1
	section string // the heading above

	command string
	output  []string // what the page shows after the command

	file    string // to be written, instead of a command
	content string
}

// block is a block of code.
type block struct {
	line     int // of its first line of code
	section  string
	before   string
	language string
	code     []string
}

var fence = regexp.MustCompile("^( {0,3})(```+|~~~+) *([a-z]*)")

// blocks are the blocks of code of a page, fenced or indented.
func blocks(text string) []block {
	var all []block
	var before, section string // the last line with text, the last heading
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		if m := fence.FindStringSubmatch(lines[i]); m != nil {
			b := block{line: i + 2, section: section, before: before, language: m[3]}
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != m[2]; i++ {
				b.code = append(b.code, strings.TrimPrefix(lines[i], m[1]))
			}
			all, before = append(all, b), ""
			continue
		}
		if strings.HasPrefix(lines[i], "    ") && (i == 0 || strings.TrimSpace(lines[i-1]) == "") {
			b := block{line: i + 1, section: section, before: before}
			for ; i < len(lines) && (strings.HasPrefix(lines[i], "    ") || strings.TrimSpace(lines[i]) == ""); i++ {
				b.code = append(b.code, strings.TrimPrefix(lines[i], "    "))
			}
			for i--; b.code[len(b.code)-1] == ""; i-- {
				b.code = b.code[:len(b.code)-1]
			}
			all, before = append(all, b), ""
			continue
		}
		if s := strings.TrimSpace(lines[i]); s != "" {
			before = s
			if m := heading.FindStringSubmatch(s); m != nil {
				section = m[1]
			}
		}
	}
	return all
}

var (
	heading  = regexp.MustCompile(`^#+ (.+)$`)
	named    = regexp.MustCompile("`([^` ]+)`:$")
	document = regexp.MustCompile("<<-? *['\"]?([A-Z]+)['\"]?")
	program  = regexp.MustCompile(`^(?:sudo )?(?:go|git|mage|docker|podman|nerdctl|kubectl|cosign|crane|skopeo|oras|task|syft|grype|trivy|ko|goreleaser|helm|curl|wget|bash|sh|apt|apt-get|export|mkdir) `)
)

// steps are what the page has its reader do, in order.
func steps(text string) ([]step, error) {
	var all []step
	for _, b := range blocks(text) {
		if !slices.ContainsFunc(b.code, func(l string) bool { return strings.HasPrefix(l, "$ ") }) {
			if m := named.FindStringSubmatch(b.before); m != nil && strings.ContainsAny(path.Clean(m[1]), "./") || m != nil && m[1] == "Dockerfile" {
				all = append(all, step{line: b.line, section: b.section, file: m[1], content: strings.Join(b.code, "\n") + "\n"})
				continue
			}
			for i, l := range b.code {
				if program.MatchString(l) && (b.language == "" || b.language == "console" || b.language == "sh" || b.language == "shell" || b.language == "bash") {
					return nil, fmt.Errorf("line %d: %q looks like a command; write it as \"$ %s\"", b.line+i, l, l)
				}
			}
			continue
		}
		for i := 0; i < len(b.code); i++ {
			command, ok := strings.CutPrefix(b.code[i], "$ ")
			if !ok {
				if len(all) == 0 || i == 0 {
					return nil, fmt.Errorf("line %d: output before the first command of the block", b.line+i)
				}
				all[len(all)-1].output = append(all[len(all)-1].output, b.code[i])
				continue
			}
			s := step{line: b.line + i, section: b.section, command: command}
			for strings.HasSuffix(s.command, "\\") && i+1 < len(b.code) {
				i++
				s.command += "\n" + b.code[i]
			}
			if end := document.FindStringSubmatch(s.command); end != nil {
				for i+1 < len(b.code) {
					i++
					s.command += "\n" + b.code[i]
					if b.code[i] == end[1] {
						break
					}
				}
			}
			all = append(all, s)
		}
	}
	return all, nil
}

func TestSteps(t *testing.T) {
	const page = "# Page\n\nRun it:\n\n    $ mage image \\\n      -load\n    ok\n\n    …\n    $ true\n\nThen `magefiles/magefile.go`:\n\n```go\npackage main\n```\n\nIt holds `x`:\n\n    dist/bin\n\n```\n$ cat <<EOF\na\nEOF\na\n```\n"
	got, err := steps(page)
	if err != nil {
		t.Fatal(err)
	}
	want := []step{
		{line: 5, section: "Page", command: "mage image \\\n  -load", output: []string{"ok", "", "…"}},
		{line: 10, section: "Page", command: "true"},
		{line: 15, section: "Page", file: "magefiles/magefile.go", content: "package main\n"},
		{line: 23, section: "Page", command: "cat <<EOF\na\nEOF", output: []string{"a"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	for _, bad := range []string{"    go test ./...\n", "```console\ndocker run x\n```\n", "    ok\n    $ true\n"} {
		if got, err := steps(bad); err == nil {
			t.Errorf("%q: no error, but %+v", bad, got)
		}
	}
}
