// Package settings reads the instructions of a Dockerfile that set how an image is run, or what
// later instructions mean: FROM, ARG, ENV, WORKDIR, USER, ENTRYPOINT, CMD, EXPOSE, LABEL, VOLUME,
// STOPSIGNAL, HEALTHCHECK and SHELL. It takes an instruction, changes the state of its stage, and
// says what becomes of the line. It never changes the root file system.
package settings

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/plan"
)

// Apply follows an instruction that is not FROM, COPY, ADD or RUN. An instruction that is not valid
// gets an outcome, too.
func Apply(i syntax.Instruction, args syntax.Arguments, st *state.State, lines *outcome.Lines) {
	switch c := i.Command.(type) {
	case *instructions.ArgCommand:
		arg(i, c, args, st, lines)
	case *instructions.EnvCommand:
		env(i, c, args, st, lines)
	case *instructions.WorkdirCommand:
		st.Workdir = st.Abs(args.Plain(c.Path, st.Vars))
		commandSetting(i, &st.WorkingDir, st.Workdir, "Runtime.WorkingDir", st, lines)
	case *instructions.UserCommand:
		st.User = args.Plain(c.User, st.Vars)
		commandSetting(i, &st.RunAs, st.User, "Runtime.User", st, lines)
	case *instructions.ShellCommand:
		lines.Say(i, finding.NotNeeded, "no command runs in an image")
	case nil:
		lines.Invalid(i)
	default:
		if !st.Ships() {
			lines.Say(i, finding.NotNeeded, "a setting of a build stage")
			return
		}
		runtime(i, args, st, lines)
	}
}

// commandSetting sets a value that the commands of a build stage use, too.
func commandSetting(i syntax.Instruction, set *state.Setting[string], value, name string,
	st *state.State, lines *outcome.Lines) {
	if !st.Ships() {
		lines.Say(i, finding.NotNeeded, "only for the commands of a build stage")
		return
	}
	set.Replace(value, lines.Say(i, finding.Imported, name))
}

// runtime handles the instructions that only set how an image is run.
func runtime(i syntax.Instruction, args syntax.Arguments, st *state.State, lines *outcome.Lines) {
	switch c := i.Command.(type) {
	case *instructions.EntrypointCommand:
		st.Entrypoint.Replace(state.Command{Words: c.CmdLine, Shell: c.PrependShell},
			lines.Say(i, finding.Imported, "Runtime.Args"))
	case *instructions.CmdCommand:
		st.Cmd.Replace(state.Command{Words: c.CmdLine, Shell: c.PrependShell},
			lines.Say(i, finding.Imported, "Runtime.Args"))
	case *instructions.ExposeCommand:
		expose(i, c, args, st, lines)
	case *instructions.LabelCommand:
		label(i, c, args, st, lines)
	case *instructions.MaintainerCommand:
		st.Labels = state.SetVariable(st.Labels, "org.opencontainers.image.authors",
			args.Plain(c.Maintainer, st.Vars), lines.Say(i, finding.Imported, "Runtime.Labels"))
	case *instructions.StopSignalCommand:
		st.StopSignal.Replace(args.Plain(c.Signal, st.Vars),
			lines.Say(i, finding.Imported, "Runtime.StopSignal"))
	case *instructions.VolumeCommand:
		line := lines.Say(i, finding.Imported, "Runtime.Volumes")
		for _, v := range c.Volumes {
			if v = args.Plain(v, st.Vars); v != "" {
				st.Volumes = append(st.Volumes,
					state.Setting[string]{Value: path.Clean("/" + v), Line: line})
			}
		}
	case *instructions.HealthCheckCommand:
		healthcheck(i, c, st, lines)
	case *instructions.OnbuildCommand:
		lines.Say(i, finding.NotNeeded, "it changes only images that are built from this one")
	default:
		lines.Invalid(i)
	}
}

// expose handles EXPOSE.
func expose(i syntax.Instruction, c *instructions.ExposeCommand, args syntax.Arguments,
	st *state.State, lines *outcome.Lines) {
	line := lines.Say(i, finding.Imported, "Runtime.Ports")
	added := false
	for _, p := range c.Ports {
		text, missing := args.Expand(p, st.Vars)
		for _, port := range strings.Fields(text) {
			ports, proto, _ := strings.Cut(strings.ToLower(port), "/")
			from, to, isRange := strings.Cut(ports, "-")
			if !isRange {
				to = from
			}
			first, last := number(from), number(to)
			if first < 1 || last < first || last > 65535 || last-first > 1000 {
				outcome.ByHand(line, "Runtime.Ports", "port "+port+" is not a number",
					`Ports: []string{"8080"}`)
				continue
			}
			for n := first; n <= last; n++ {
				value := strconv.Itoa(n)
				if proto != "" && proto != "tcp" {
					value += "/" + proto
				}
				if !slices.ContainsFunc(st.Ports,
					func(o state.Setting[string]) bool { return o.Value == value }) {
					st.Ports = append(st.Ports, state.Setting[string]{Value: value, Line: line})
					added = true
				}
			}
		}
		if text == "" && len(missing) > 0 {
			outcome.ByHand(line, "Runtime.Ports", "$"+missing[0]+" has no value without --build-arg",
				`Ports: []string{"8080"}`)
		}
	}
	if !added && line.Outcome == finding.Imported {
		outcome.NotNeeded(line, "another line has these ports")
	}
}

// number returns a port, 0 if it is no number.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// healthcheck handles HEALTHCHECK.
func healthcheck(i syntax.Instruction, c *instructions.HealthCheckCommand,
	st *state.State, lines *outcome.Lines) {
	if c.Health == nil || len(c.Health.Test) == 0 || c.Health.Test[0] == "NONE" {
		outcome.Replace(st.Health.Line, i.Line)
		st.Health = state.Setting[*plan.Healthcheck]{}
		lines.Say(i, finding.NotNeeded, "an image has no health check unless Config has one")
		return
	}
	h := &plan.Healthcheck{
		Command: c.Health.Test[1:], Interval: c.Health.Interval, Timeout: c.Health.Timeout,
		Start: c.Health.StartPeriod, Retries: c.Health.Retries,
	}
	if c.Health.Test[0] == "CMD-SHELL" {
		h.Command = append([]string{"/bin/sh", "-c"}, h.Command...)
	}
	st.Health.Replace(h, lines.Say(i, finding.Imported, "Runtime.Healthcheck"))
}
