package syntax

import (
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/thimble-build/thimble/build/init/stamp"
)

// Platform are the build arguments that every build has.
var Platform = map[string]string{
	"TARGETPLATFORM": "linux/amd64", "TARGETOS": "linux", "TARGETARCH": "amd64", "TARGETVARIANT": "",
	"BUILDPLATFORM": "linux/amd64", "BUILDOS": "linux", "BUILDARCH": "amd64", "BUILDVARIANT": "",
}

// Arguments are the build arguments of a Dockerfile. They expand the variables of its words.
type Arguments struct {
	// Global are the build arguments before the first FROM.
	Global map[string]string
	given  map[string]string
	lex    *shell.Lex
}

// readArguments reads the ARG instructions before the first FROM.
func readArguments(before []Instruction, given map[string]string, lex *shell.Lex) Arguments {
	a := Arguments{map[string]string{}, given, lex}
	for _, i := range before {
		if arg, ok := i.Command.(*instructions.ArgCommand); ok {
			for _, kv := range arg.Args {
				if kv.Value != nil {
					a.Global[kv.Key] = a.Plain(*kv.Value, a.Global)
				}
				a.Give(kv.Key, a.Global)
			}
		}
	}
	return a
}

// Give sets a build argument without a useful default to the value that a Makefile gives it.
func (a Arguments) Give(name string, vars map[string]string) {
	value, ok := a.given[name]
	if now := vars[name]; ok && (stamp.Placeholder(now) ||
		strings.Contains(strings.ToLower(now), "placeholder")) {
		vars[name] = value
	}
}

// Plain expands the variables of a word. What has no value is empty, as in docker build.
func (a Arguments) Plain(word string, vars map[string]string) string {
	text, _ := a.Expand(word, vars)
	return text
}

// Expand also returns the variables without a value.
func (a Arguments) Expand(word string, vars map[string]string) (text string, missing []string) {
	all := maps.Clone(Platform)
	maps.Copy(all, vars)
	var env []string
	for name, value := range all {
		env = append(env, name+"="+value)
	}
	text, unmatched, err := a.lex.ProcessWord(word, shell.EnvsFromSlice(env))
	if err != nil {
		return word, nil
	}
	return text, slices.Sorted(maps.Keys(unmatched))
}
