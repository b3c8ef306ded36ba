// Package frontend finds folders that are embedded in a program and that git does not have, such
// as ui/dist, and the commands in a Makefile, a Taskfile or package.json that make them.
package frontend

import (
	"bufio"
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
)

// Embed is a //go:embed pattern that matches no file of the repository.
type Embed struct {
	finding.Place
	// Pattern is the pattern as written, Path the same relative to the root of the repository.
	Pattern, Path string
}

var (
	directive = regexp.MustCompile(`^//go:embed\s+(.+)$`)
	patterns  = regexp.MustCompile("\"[^\"]*\"|`[^`]*`|\\S+")
)

// Missing returns the patterns in the Go files of a module that match nothing in git, or only
// placeholders such as .gitkeep. skip reports whether a folder is no part of the programs.
func Missing(files finding.Files, module string, skip func(folder string) bool) []Embed {
	var all []Embed
	ignored := ignores(files)
	for _, name := range files.Under(path.Join(".", module)) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || outside(name) ||
			skip(path.Dir(name)) {
			continue
		}
		text, err := files.Read(name)
		if err != nil || !bytes.Contains(text, []byte("//go:embed")) {
			continue
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, 1<<20)
		for line := 1; lines.Scan(); line++ {
			m := directive.FindStringSubmatch(strings.TrimSpace(lines.Text()))
			if m == nil {
				continue
			}
			for _, pattern := range patterns.FindAllString(m[1], -1) {
				pattern = strings.Trim(pattern, "\"`")
				e := Embed{finding.Place{File: name, Line: line}, pattern,
					path.Join(path.Dir(name), strings.TrimPrefix(pattern, "all:"))}
				if matches(files, e.Path) {
					e.Path = ignoredBelow(files, ignored, e.Path)
				}
				if e.Path != "" {
					all = append(all, e)
				}
			}
		}
	}
	return all
}

// outside reports whether the go command does not read a file.
func outside(name string) bool {
	for element := range strings.SplitSeq(path.Dir(name), "/") {
		if element == "vendor" || element == "testdata" || element == "node_modules" ||
			strings.HasPrefix(element, "_") || len(element) > 1 && element[0] == '.' {
			return true
		}
	}
	return false
}

// placeholders keep a folder in git that a command fills.
var placeholders = []string{".gitkeep", ".keep", ".gitignore", ".placeholder", "placeholder", ".empty"}

// matches reports whether git has a file for a pattern, other than placeholders.
func matches(files finding.Files, pattern string) bool {
	folder := pattern
	if i := strings.IndexAny(pattern, "*?["); i >= 0 {
		folder = path.Dir(pattern[:i] + "x")
	}
	if files.Has(pattern) {
		return true
	}
	for _, name := range files.Under(folder) {
		if slices.Contains(placeholders, path.Base(name)) {
			continue
		}
		for at := name; at != "." && len(at) >= len(folder); at = path.Dir(
			at) { // a pattern can match a folder
			if ok, err := path.Match(pattern, at); ok || err != nil {
				return true
			}
		}
	}
	return false
}

// ignores returns the folders that the .gitignore files name without patterns.
func ignores(files finding.Files) []string {
	var all []string
	for _, name := range files.Names {
		if path.Base(name) != ".gitignore" {
			continue
		}
		text, err := files.Read(name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if line != "" && !strings.ContainsAny(line, "#!*?[") &&
				strings.Contains(strings.TrimSuffix(line, "/"), "/") {
				all = append(all, path.Join(path.Dir(name), line))
			}
		}
	}
	return all
}

// ignoredBelow returns a folder below an embedded one that git ignores, as server/ui/dist below
// server/ui. Its files are embedded too when they are there.
func ignoredBelow(files finding.Files, ignored []string, embedded string) string {
	for _, at := range ignored {
		if strings.HasPrefix(at, embedded+"/") && !slices.Contains([]string{"node_modules", ".DS_Store"},
			path.Base(at)) && len(files.Under(at)) == 0 && !files.Has(at) {
			return at
		}
	}
	return ""
}
