package run

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
)

// goCommand handles the go command, except go build and go install.
func goCommand(c command, st *state.State, repo repository.Repository, lines *outcome.Lines) {
	verb := ""
	for _, a := range c.args {
		if !strings.HasPrefix(a, "-") {
			verb = a
			break
		}
	}
	switch verb {
	case "test", "vet":
		c.say(lines, finding.NotNeeded, "mage image runs the tests")
	case "generate":
		st.Compiles = true
		line := c.say(lines, finding.Imported, "Before")
		st.Before = append(st.Before, finding.Found(append([]string{"go"}, c.args...), c.Place))
		line.Setting = "Before"
	case "install", "build", "run":
		if strings.Contains(c.Text, "@") {
			c.say(lines, finding.NotNeeded, "a tool of the build stage")
			return
		}
		buildCommand(c, st, repo, lines)
	default:
		c.say(lines, finding.NotNeeded, "the go command does it when it compiles")
	}
}

// makers are programs that make what the compiler or an image needs, without Go.
var makers = []string{
	"npm", "yarn", "pnpm", "bun", "npx", "bunx", "pnpx", "node", "corepack", "vite", "webpack", "hugo",
	"templ", "buf", "protoc", "sqlc", "swag", "tailwindcss", "esbuild", "deno", "elm", "gulp",
	"grunt", "ng", "mkdocs",
}

// checkers are programs that make nothing; checks matches the names of such scripts.
var (
	checkers = []string{"golangci-lint", "staticcheck", "govulncheck", "gosec", "gofmt", "revive", "hadolint"}
	checks   = regexp.MustCompile(`(^|[-_.])(verify|check|test|lint)([-_.]|$)`)
)

func isGlobal(arg string) bool { return arg == "-g" || arg == "--global" }

// drivers are programs that compile a Go program by instructions in other files.
var drivers = map[string]string{
	"make": "Makefile", "gmake": "Makefile", "task": "Taskfile", "go-task": "Taskfile", "mage": "magefile",
	"just": "justfile", "goreleaser": ".goreleaser.yaml", "promu": ".promu.yml", "ko": ".ko.yaml",
	"bazel": "BUILD", "bazelisk": "BUILD",
}

// buildCommand handles a command of a build stage.
func buildCommand(c command, st *state.State, repo repository.Repository, lines *outcome.Lines) {
	switch {
	case c.name == "corepack",
		slices.Contains(makers, c.name) && slices.ContainsFunc(c.args, isGlobal):
		c.say(lines, finding.NotNeeded, "a tool of the build stage")
	case slices.Contains(makers, c.name) && slices.ContainsFunc(c.args, checks.MatchString):
		c.say(lines, finding.NotNeeded, "it only checks something")
	case slices.Contains(makers, c.name) && !st.Ships():
		line := c.say(lines, finding.NotNeeded, "nothing that it makes is copied")
		st.Prepared = append(st.Prepared, state.Prepared{Words: c.Words, Dir: c.Dir, Line: line})
	case drivers[c.name] != "":
		st.Compiles = true
		if drivers[c.name] == "Makefile" {
			runMake(c, st, repo)
		}
		c.say(lines, finding.NotNeeded, "thimble compiles the program; "+
			drivers[c.name]+" is read for its settings")
	case strings.HasPrefix(c.Text, "xx-"):
		c.say(lines, finding.NotNeeded, "the go command compiles for every platform")
	case slices.Contains(checkers, c.name) || strings.HasSuffix(c.name, ".sh") && checks.MatchString(c.name):
		c.say(lines, finding.NotNeeded, "it only checks something")
	case strings.HasSuffix(c.name, ".sh") || c.name == "sh" || c.name == "bash":
		st.Compiles = true
		c.byHand(lines, "Before", "init does not read what the script does", ifNeeded(c.Words))
	case slices.Contains([]string{"upx", "strip", "objcopy", "xx-verify", "goversion", "scanelf", "readelf"},
		c.name):
		c.say(lines, finding.NotNeeded, "the binary is without symbols, and its layer is compressed")
	case slices.Contains([]string{"curl", "wget", "tar", "unzip", "gunzip", "xx-info", "xx-clang",
		"sed", "rsync"}, c.name):
		c.say(lines, finding.NotNeeded, "nothing of a build stage is in the image unless it is copied")
	default:
		c.byHand(lines, "Before", "a command of the build stage", ifNeeded(c.Words))
	}
}

// ifNeeded says what to write for a command of a build stage.
func ifNeeded(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, strconv.Quote(w))
	}
	return `if the compiler needs what it makes: Before: [][]string{{` + strings.Join(all, ", ") + `}}`
}
