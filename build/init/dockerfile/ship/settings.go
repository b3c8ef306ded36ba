package ship

import (
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/entrypoint"
	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
)

// settings adds how the image is run, except its user and its health check.
func settings(r *finding.Runtime, run entrypoint.Started, st *state.State) {
	if len(run.Args) > 0 && (run.Why == "" || run.Script != "") {
		from := st.Entrypoint.From()
		if st.Cmd.Set() && (!st.Entrypoint.Set() || len(st.Cmd.Value.Words) > 0) {
			from = st.Cmd.From()
		}
		r.Args = finding.Found(run.Args, from)
	}
	environment(r, run, st)
	for _, v := range st.Ports {
		r.Ports = append(r.Ports, v.Found())
	}
	for _, v := range st.Labels {
		r.Labels = append(r.Labels, finding.Found(v.Value.Name+"="+v.Value.Value, v.From()))
	}
	switch {
	case !st.WorkingDir.Set():
	case st.WorkingDir.Value == "/":
		outcome.NotNeeded(st.WorkingDir.Line, "/ is the default")
	default:
		r.WorkingDir = st.WorkingDir.Found()
	}
	if st.StopSignal.Set() {
		r.StopSignal = st.StopSignal.Found()
	}
	for _, v := range st.Volumes {
		if !slices.ContainsFunc(r.Volumes,
			func(o finding.Value[string]) bool { return o.Value == v.Value }) {
			r.Volumes = append(r.Volumes, v.Found())
		}
	}
}

// environment adds the variables of ENV, and those that a script sets for the program.
func environment(r *finding.Runtime, run entrypoint.Started, st *state.State) {
	for _, v := range st.Env {
		r.Env = append(r.Env, finding.Found(v.Value.Name+"="+v.Value.Value, v.From()))
	}
	if run.Why != "" {
		return
	}
	from := st.Entrypoint.From()
	if !st.Entrypoint.Set() {
		from = st.Cmd.From()
	}
	for _, v := range run.Vars {
		at := slices.IndexFunc(r.Env,
			func(o finding.Value[string]) bool { return strings.HasPrefix(o.Value, v.Name+"=") })
		if at >= 0 {
			r.Env[at] = finding.Found(v.Name+"="+v.Value, from)
		} else {
			r.Env = append(r.Env, finding.Found(v.Name+"="+v.Value, from))
		}
	}
}

// user adds the users of the image, and the one that runs the program.
func user(r *finding.Runtime, run entrypoint.Started, st *state.State) {
	declared := st.Accounts.Declared()
	for _, u := range declared {
		r.Users = append(r.Users, finding.Found(u.User, u.Line.Place))
		outcome.Imported(u.Line, "Users")
	}
	spec, from, line := st.RunAs.Value, st.RunAs.From(), st.RunAs.Line
	if run.User != "" && run.Why == "" {
		spec, from, line = run.User, st.Entrypoint.From(), nil
	}
	if spec == "" {
		if !st.NonRoot && (st.FromLine == nil || st.FromLine.Outcome != finding.Imported) {
			r.User = finding.Found("0:0", st.From) // as docker build has it
			if st.FromLine != nil {
				st.FromLine.Reason += "; no USER is named: Runtime.User is root"
			}
		}
		return
	}
	value, ok := st.Accounts.RuntimeUser(spec, declared)
	switch {
	case !ok:
		if line != nil {
			outcome.ByHand(line, "Runtime.User", spec+" is a user of the base",
				`Runtime.User by its number: "1000:1000"`)
		}
	case value == "65532:65532":
		if line != nil {
			outcome.NotNeeded(line, "65532:65532 is the default")
		}
	default:
		r.User = finding.Found(value, from)
	}
}
