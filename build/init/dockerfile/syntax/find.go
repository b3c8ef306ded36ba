package syntax

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
)

// largest is the size of the largest file that is read, in bytes.
const largest = 256 << 10

// Find returns the Dockerfiles of a repository, of any name and in any folder. The one that
// should decide comes first: Dockerfile before Dockerfile.debug, the root before a folder.
func Find(files finding.Files) []string {
	var found []string
	for _, name := range files.Names {
		if !candidate(name) {
			continue
		}
		text, err := files.Read(name)
		if err != nil {
			continue // a symlink that leads nowhere, or a file that was removed
		}
		if len(text) <= largest && LooksLike(text) {
			found = append(found, name)
		}
	}
	slices.SortStableFunc(found, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)),
			cmp.Compare(strings.Count(a, "/"), strings.Count(b, "/")), cmp.Compare(a, b))
	})
	return found
}

// candidate reports whether a file could be a Dockerfile, by its name.
func candidate(name string) bool {
	for folder := range strings.SplitSeq(path.Dir(name), "/") {
		if slices.Contains([]string{"vendor", "node_modules", "testdata", ".git", "magefiles",
			".devcontainer"}, folder) {
			return false
		}
	}
	base := strings.ToLower(path.Base(name))
	if strings.HasSuffix(base, "ignore") || strings.HasSuffix(base, ".tmpl") ||
		strings.HasSuffix(base, ".md") {
		return false
	}
	return strings.Contains(base, "dockerfile") || strings.Contains(base, "containerfile") ||
		path.Ext(base) == "" && !strings.HasPrefix(base, ".")
}

// LooksLike reports whether the first instruction of a text is FROM or ARG, and one is FROM.
func LooksLike(text []byte) bool {
	first := true
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\ufeff")))
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		word := strings.ToUpper(string(bytes.Fields(line)[0]))
		if word == "FROM" && len(bytes.Fields(line)) > 1 {
			return true
		}
		if first && word != "ARG" {
			return false
		}
		first = false
	}
	return false
}

// others are words in the names of Dockerfiles that are not for production.
var others = []string{"debug", "dev", "test", "e2e", "local", "ci", "windows", "lint", "docs", "example",
	"bench", "fuzz", "race", "cover", "nightly", "cross", "arm", "s390x", "ppc64"}

// rank sorts Dockerfiles by the likelihood that they make the image of production.
func rank(name string) int {
	base := strings.ToLower(path.Base(name))
	for part := range strings.FieldsFuncSeq(strings.ToLower(name),
		func(r rune) bool { return strings.ContainsRune("/._-", r) }) {
		if slices.Contains(others, part) || strings.HasPrefix(part, "example") ||
			strings.HasPrefix(part, "test") {
			return 3
		}
	}
	switch base {
	case "dockerfile", "containerfile":
		return 0
	}
	if strings.Contains(base, "goreleaser") || strings.Contains(base, "release") {
		return 1
	}
	return 2
}
