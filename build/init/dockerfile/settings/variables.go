package settings

import (
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/stamp"
)

// arg handles ARG.
func arg(i syntax.Instruction, c *instructions.ArgCommand, args syntax.Arguments,
	st *state.State, lines *outcome.Lines) {
	var reasons []string
	for _, a := range c.Args {
		_, isPlatform := syntax.Platform[a.Key]
		switch {
		case a.Value != nil:
			st.Vars[a.Key] = args.Plain(*a.Value, st.Vars)
		default:
			if value, ok := args.Global[a.Key]; ok {
				st.Vars[a.Key] = value
			}
		}
		args.Give(a.Key, st.Vars)
		reason := "a build argument without a default has no value"
		if _, stamped := stamp.Name(a.Key); stamped && stamp.Placeholder(st.Vars[a.Key]) {
			reason = "thimble takes it from git"
		} else if isPlatform {
			reason = "thimble builds for each platform"
		} else if _, ok := st.Vars[a.Key]; ok {
			reason = "a build argument; its default is used where it is named"
		}
		reasons = outcome.AddReason(reasons, reason)
	}
	lines.Say(i, finding.NotNeeded, strings.Join(reasons, "; "))
}

// goSettings are variables of the go command, which change no image.
var goSettings = []string{
	"GO111MODULE", "GOPATH", "GOROOT", "GOOS", "GOARCH", "GOARM", "GOAMD64", "GOPROXY", "GOSUMDB",
	"GONOSUMDB", "GONOSUMCHECK", "GONOPROXY", "GOPRIVATE", "GOFLAGS", "GOBIN",
	"GOCACHE", "GOMODCACHE", "GOTOOLCHAIN", "GOWORK", "GOVCS", "GOINSECURE", "GOTMPDIR", "CC", "CXX",
	"CGO_CFLAGS", "CGO_LDFLAGS", "GO_VERSION", "GOLANG_VERSION",
}

// env handles ENV.
func env(i syntax.Instruction, c *instructions.EnvCommand, args syntax.Arguments,
	st *state.State, lines *outcome.Lines) {
	line := lines.Say(i, finding.NotNeeded, "")
	before := maps.Clone(st.Vars) // the values that this instruction sees
	var reasons []string
	reason := func(text string) { reasons = outcome.AddReason(reasons, text) }
	for _, kv := range c.Env {
		name := args.Plain(kv.Key, before)
		value, missing := args.Expand(kv.Value, before)
		st.Vars[name] = value
		switch {
		case name == "CGO_ENABLED":
			st.Cgo = finding.Found(value != "0", i.Place)
			reason("Cgo says it")
		case name == "GOEXPERIMENT" || name == "GOFIPS140":
			line.Outcome, line.Setting, line.Write = finding.ByHand, "FIPS140",
				"set "+name+"="+value+" for the go command, or FIPS140 of the image"
			reason("it changes what is compiled")
		case slices.Contains(goSettings, name):
			reason("a setting of the go command")
		case !st.Ships():
			reason("only for the commands of a build stage")
		case name == "PATH":
			reason("the image starts its program by its path")
		case strings.HasPrefix(name, "DEBIAN_FRONTEND"):
			reason("only for apt-get")
		default:
			if name == "TZ" && value != "" && value != "UTC" && value != "Etc/UTC" {
				st.Include = append(st.Include, finding.Found("zoneinfo", i.Place))
			}
			line.Outcome = finding.Imported
			if len(missing) > 0 {
				reason("Runtime.Env, empty without --build-arg")
			} else {
				reason("Runtime.Env")
			}
			st.Env = state.SetVariable(st.Env, name, value, line)
		}
	}
	line.Reason = strings.Join(reasons, "; ")
}

// own are the labels that thimble sets.
var own = []string{"created", "revision", "version", "source", "title", "licenses"}

// label handles LABEL.
func label(i syntax.Instruction, c *instructions.LabelCommand, args syntax.Arguments,
	st *state.State, lines *outcome.Lines) {
	line := lines.Say(i, finding.NotNeeded, "")
	var reasons []string
	for _, kv := range c.Labels {
		name := args.Plain(kv.Key, st.Vars)
		value, missing := args.Expand(kv.Value, st.Vars)
		last := name[strings.LastIndexAny(name, "./")+1:]
		reason := "Runtime.Labels"
		_, stamped := stamp.Name(last)
		switch {
		case strings.HasPrefix(name, "org.opencontainers.image.") && slices.Contains(own, last) &&
			(len(missing) > 0 || value == ""):
			reason = "thimble sets it"
		case stamped && len(missing) > 0:
			reason = "thimble sets org.opencontainers.image labels from git"
		case value == "" && len(missing) > 0:
			reason = "it has no value without --build-arg"
		default:
			line.Outcome = finding.Imported
			st.Labels = state.SetVariable(st.Labels, name, value, line)
		}
		reasons = outcome.AddReason(reasons, reason)
	}
	line.Reason = strings.Join(reasons, "; ")
}
