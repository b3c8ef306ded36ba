package dockerfile

import (
	"maps"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// platform are the arguments that every build has.
var platform = map[string]string{
	"TARGETPLATFORM": "linux/amd64", "TARGETOS": "linux", "TARGETARCH": "amd64", "TARGETVARIANT": "",
	"BUILDPLATFORM": "linux/amd64", "BUILDOS": "linux", "BUILDARCH": "amd64", "BUILDVARIANT": "",
}

// plain expands the variables of a word. What has no value is empty, as in docker build.
func (r *reader) plain(word string, vars map[string]string) string {
	text, _ := r.expand(word, vars)
	return text
}

// expand also returns the variables without a value.
func (r *reader) expand(word string, vars map[string]string) (text string, missing []string) {
	all := maps.Clone(platform)
	maps.Copy(all, vars)
	var env []string
	for name, value := range all {
		env = append(env, name+"="+value)
	}
	text, unmatched, err := r.lex.ProcessWord(word, shell.EnvsFromSlice(env))
	if err != nil {
		return word, nil
	}
	for name := range unmatched {
		missing = append(missing, name)
	}
	return text, missing
}

func itoa(n int) string { return strconv.Itoa(n) }

// atoi returns a number that is not negative, or -1.
func atoi(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 {
		return -1
	}
	return n
}
