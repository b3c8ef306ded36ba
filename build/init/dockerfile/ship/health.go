package ship

import (
	"cmp"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/entrypoint"
	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
)

// health translates the health check.
func health(r *finding.Runtime, main int, st *state.State, repo repository.Repository) {
	h := st.Health
	if h.Value == nil {
		return
	}
	run := entrypoint.Follow(h.Value.Command, st, repo)
	tool := ""
	for _, word := range strings.FieldsFunc(strings.Join(h.Value.Command, " "),
		func(c rune) bool { return strings.ContainsRune(" \t;|&(){}'\"", c) }) {
		if slices.Contains([]string{"curl", "wget", "nc", "pgrep", "grpc_health_probe", "grpc-health-probe"},
			path.Base(word)) && tool == "" {
			tool = path.Base(word)
		}
	}
	if run.Main < 0 || run.Why != "" {
		reason := run.Why
		if tool != "" {
			reason = "there is no " + tool + " in the image"
		}
		outcome.ByHand(h.Line, "Runtime.Healthcheck", reason,
			"give the program a command for it: Healthcheck: &build.Healthcheck{Command: "+
				"[]string{\"health\"}}; or let Kubernetes probe it"+probe(h.Value.Command, st))
		return
	}
	check := *h.Value
	check.Command = run.Args
	if run.Main != main {
		check.Command = append([]string{"/app/" + repo.Program(run.Main)}, run.Args...)
	} else if len(run.Args) == 0 || strings.HasPrefix(run.Args[0], "/") {
		check.Command = append([]string{"/app/" + repo.Program(main)}, run.Args...)
	}
	r.Healthcheck = finding.Found(check, h.From())
}

// probe returns the port and path of a health check by HTTP.
func probe(words []string, st *state.State) string {
	env := func(name string) string {
		for _, v := range st.Env {
			if v.Value.Name == name {
				return v.Value.Value
			}
		}
		return "$" + name
	}
	for _, word := range strings.FieldsFunc(strings.Join(words, " "),
		func(c rune) bool { return strings.ContainsRune(" \t;|&(){}'\"", c) }) {
		_, rest, ok := strings.Cut(word, "://")
		if !ok {
			rest = word
		}
		host, p, isPath := strings.Cut(rest, "/")
		name, port, isPort := strings.Cut(os.Expand(host, env), ":")
		if !ok && (name != "localhost" && name != "127.0.0.1" || !isPort && !isPath) {
			continue // "localhost" alone is the value of a flag
		}
		return ": path /" + p + ", port " + cmp.Or(port, "80")
	}
	return ""
}
