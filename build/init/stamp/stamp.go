// Package stamp translates what build files put into version variables to the templates of
// Config.LDFlags.
//
// A Makefile or a Dockerfile says "$(git describe --tags)" or "${VERSION}", .goreleaser.yaml
// "{{ .Version }}", .promu.yml "{{.Revision}}". Command translates a shell command, Name a
// variable, and GoReleaser, Ko and Promu translate templates. The package runs nothing.
//
// A text can contain parts that have no translation. Unknown marks such a part, so that the text
// can be split at spaces and expanded further. Known reports whether a text is complete, and Show
// returns it as it was written.
package stamp

import (
	"net/url"
	"regexp"
	"strings"
)

// The marks are private-use characters, which shells and make read like letters.
const (
	begin = "\ue000"
	end   = "\ue001"
)

var marked = regexp.MustCompile(begin + `([^` + end + `]*)` + end)

// Unknown returns a mark for a part of a text that has no translation, such as "$(hostname)".
func Unknown(part string) string { return begin + url.QueryEscape(Show(part)) + end }

// Known reports whether a text has no unknown part.
func Known(text string) bool { return !strings.Contains(text, begin) }

// Show returns a text with its unknown parts as they were written.
func Show(text string) string {
	return marked.ReplaceAllStringFunc(text, func(mark string) string {
		part, err := url.QueryUnescape(mark[len(begin) : len(mark)-len(end)])
		if err != nil {
			return mark
		}
		return part
	})
}

// Parts returns the unknown parts of a text.
func Parts(text string) []string {
	var parts []string
	for _, m := range marked.FindAllString(text, -1) {
		parts = append(parts, Show(m))
	}
	return parts
}

// Name returns the template for a variable that is set from outside, by its name: VERSION, GIT_COMMIT
// or BUILD_DATE.
func Name(name string) (template string, ok bool) {
	n := strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(name))
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(n, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("goversion", "gover", "golang", "apiversion", "alpine", "debian", "builder",
		"schema", "protoc", "node",
		"branch", "treestate"):
		return "", false
	case has("commitdate", "committime"):
		return "{{.CommitDate}}", true
	case has("date", "buildtime", "builtat", "timestamp") || n == "built":
		return "{{.Date}}", true
	case has("shortcommit", "shortsha", "commitshort", "shorthash"):
		return "{{.ShortCommit}}", true
	case has("commit", "revision", "gitsha", "githash", "vcsref", "gitref") || n == "sha" ||
		n == "rev" || n == "hash":
		return "{{.Commit}}", true
	case has("version", "semver") || n == "ver" || n == "release":
		return "{{.Version}}", true
	case n == "tag" || has("gittag", "releasetag", "tagname", "imagetag"):
		return "{{.Tag}}", true
	}
	return "", false
}

// Placeholder reports whether a value stands for a version that a release replaces.
func Placeholder(value string) bool {
	switch strings.ToLower(strings.Trim(value, `'"`)) {
	case "", "dev", "devel", "(devel)", "develop", "development", "unknown", "undefined",
		"none", "n/a", "unset",
		"latest", "local", "snapshot", "head", "main", "master", "dirty", "test", "docker",
		"unreleased", "untagged",
		"0.0.0", "v0.0.0", "0.0.0-dev", "v0.0.0-dev":
		return true
	}
	return bracketed.MatchString(value)
}

// bracketed are values such as [no-tag], <version> and no-version.
var bracketed = regexp.MustCompile(
	`^(\[.*\]|<.*>|(?i)(no|missing|unset|unknown|default)[-_ ](tag|sha|version|commit|date|build))$`)

// Value returns the template for the value of a variable. A placeholder such as "dev" in a
// variable named VERSION is replaced by the version, and an unset variable is translated by its
// name.
func Value(name, value string) string {
	if !Placeholder(value) {
		return value
	}
	if t, ok := Name(name); ok {
		return t
	}
	if value == "" {
		return Unknown("${" + name + "}")
	}
	return value
}
