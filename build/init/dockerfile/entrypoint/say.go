package entrypoint

import (
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
)

// Say sets the outcomes of ENTRYPOINT and CMD.
func (s Started) Say(st *state.State, binary string) {
	e, c := st.Entrypoint.Line, st.Cmd.Line
	first := e
	if first == nil {
		first = c
	}
	if first == nil {
		return
	}
	notes := ""
	if len(s.notes) > 0 {
		notes = "; " + strings.Join(s.notes, "; ")
	}
	switch {
	case s.Why != "":
		first.Outcome, first.Reason, first.Setting = finding.ByHand, s.Why, "Runtime.Entrypoint"
		if s.Script != "" {
			first.Write = `the image starts /app/` + binary +
				`; with the script: Base: "debian", Packages: []string{"dash", "coreutils"}, Assets: ` +
				`{Source: ` + strconv.Quote(s.Script) + `, Target: ` + strconv.Quote(s.scriptAt) +
				`, Mode: 0o755}, Symlinks: {Path: "…", Target: "/app/` + binary +
				`"}, Runtime.Entrypoint: []string{` + strconv.Quote(s.scriptAt) + `}`
		} else {
			first.Write = "the image starts /app/" + binary + ": Runtime.Args are its arguments"
		}
	case first == e && s.Script == "" && len(st.Entrypoint.Value.Words) < 2 && !st.Entrypoint.Value.Shell:
		outcome.NotNeeded(first, "/app/"+binary+" is the entrypoint"+notes)
	case len(s.Args) == 0 && len(s.Vars) == 0:
		outcome.NotNeeded(first, "/app/"+binary+" is the entrypoint"+notes)
	default:
		reason := "Runtime.Args"
		if len(s.Vars) > 0 {
			reason = "Runtime.Env"
			if len(s.Args) > 0 {
				reason += ", Runtime.Args"
			}
		}
		outcome.Imported(first, reason+notes)
		if e != nil && c != nil && len(s.Args) == len(st.Cmd.Value.Words) &&
			len(s.Vars) == 0 { // all are from CMD
			outcome.NotNeeded(first, "/app/"+binary+" is the entrypoint"+notes)
		}
	}
	if e != nil && c != nil {
		switch {
		case st.Entrypoint.Value.Shell:
			outcome.NotNeeded(c, "an ENTRYPOINT in shell form ignores it")
		case len(st.Cmd.Value.Words) == 0:
			outcome.NotNeeded(c, "it is empty")
		case len(s.Args) == 0 && s.Script != "" && s.Why != "":
			outcome.ByHand(c, "Runtime.Entrypoint",
				"it is for "+s.Script+", and the image starts /app/"+binary, "")
		case len(s.Args) == 0 && s.Why == "":
			outcome.NotNeeded(c, "/app/"+binary+" is the entrypoint")
		}
	}
}
