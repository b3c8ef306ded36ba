package goreleaser

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/script"
	"github.com/thimble-build/thimble/build/init/yamltree"
)

// hooks reads before.hooks.
func (r *reader) hooks(section yamltree.Entry) {
	for _, e := range yamltree.Entries(section.Value) {
		var commands []yamltree.Text
		for _, h := range yamltree.Entries(e.Value) {
			if cmd := yamltree.Get(h.Value, "cmd"); cmd != nil {
				commands = append(commands, yamltree.Text{Value: yamltree.Scalar(cmd), Line: h.Line})
				continue
			}
			commands = append(commands, yamltree.Texts(h.Value)...)
		}
		for _, c := range commands {
			r.hook(c)
		}
	}
}

// hook reads one command. GoReleaser runs it without a shell.
func (r *reader) hook(c yamltree.Text) {
	words := fields(c.Value)
	switch {
	case len(words) == 0:
	case words[0] == "go" && len(words) > 1 &&
		slices.Contains([]string{"mod", "vet", "test", "version"}, words[1]):
		r.add(c.Line, c.Value, finding.NotNeeded, "thimble loads modules and runs the tests")
	case makesNothing(c.Value):
		r.add(c.Line, "hook "+c.Value, finding.NotNeeded, "it makes no file of the program")
	default:
		r.file.Hooks = append(r.file.Hooks, Hook{r.at(c.Line), c.Value})
		write := ""
		if !strings.Contains(c.Value, "{{") { // Before has no templates
			write = "Before: [][]string{" + wordList(words) + "},"
		}
		r.byHand(c.Line, "hook "+c.Value, "if it makes files that git does not have and the image needs",
			"Before", write)
	}
}

// makesNothing reports whether all commands of a hook only remove, print or test something, make
// folders, or work on modules.
func makesNothing(hook string) bool {
	commands, err := script.Commands(hook, script.Scope{})
	return err == nil && len(commands) > 0 && !slices.ContainsFunc(commands, func(c script.Command) bool {
		verb := ""
		if len(c.Words) > 1 {
			verb = c.Words[1]
		}
		switch path.Base(c.Words[0]) {
		case "cd", "rm", "mkdir", "rmdir", "test", "[", "true", "exit", "which", "command", "date",
			"golangci-lint", "staticcheck", "govulncheck":
			return false
		case "echo", "printf":
			return c.To != ""
		case "go":
			return !slices.Contains([]string{"mod", "vet", "fmt", "test", "version", "clean", "env", "list",
				"install", "get"}, verb)
		case "make":
			return !slices.Contains([]string{"clean", "test", "lint", "fmt", "vet", "check", "tidy",
				"deps"}, verb)
		}
		return true
	})
}

// fields splits a command into words: at spaces outside of quotes and of templates.
func fields(command string) []string {
	var words []string
	var word strings.Builder
	quote, started, templates := rune(0), false, 0
	text := []rune(command)
	for i, r := range text {
		next := rune(0)
		if i+1 < len(text) {
			next = text[i+1]
		}
		switch {
		case r == '{' && next == '{':
			templates++
		case r == '}' && next == '}':
			templates = max(0, templates-1)
		}
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && templates == 0 && (r == '\'' || r == '"'):
			quote, started = r, true
		case quote == 0 && templates == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if started {
				words = append(words, word.String())
			}
			started = false
			word.Reset()
		default:
			started = true
			word.WriteRune(r)
		}
	}
	if started {
		words = append(words, word.String())
	}
	return words
}

// wordList returns words as Go source.
func wordList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	return "{" + strings.Join(quoted, ", ") + "}"
}
