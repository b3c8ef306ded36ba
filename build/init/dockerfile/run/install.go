package run

import (
	"cmp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/packages"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
)

// install handles the packages that a command installs.
func install(c command, names []string, st *state.State, lines *outcome.Lines) {
	line := c.say(lines, finding.NotNeeded, "it installs nothing")
	cgo := packages.Compiler(names)
	if cgo {
		st.Compiler = finding.Found(true, c.Place)
		line.Reason = "a C compiler; Cgo says whether it is needed"
	}
	switch {
	case len(names) == 0:
	case st.Ships() && !st.Compiles && !cgo && !compilesLater(st.Stage):
		installInImage(names, st, line)
	case !cgo:
		line.Reason = "only for the build, which runs on your machine"
	}
}

// compilesLater reports whether a stage that is an image compiles Go.
func compilesLater(s *syntax.Stage) bool {
	return slices.ContainsFunc(s.Body, func(i syntax.Instruction) bool {
		_, isRun := i.Command.(*instructions.RunCommand)
		return isRun && (strings.Contains(i.Text, "go build") || strings.Contains(i.Text, "go install"))
	})
}

// installInImage handles the packages that are installed in an image.
func installInImage(names []string, st *state.State, line *finding.Line) {
	needed := packages.Translate(names, st.Cgo.Value)
	reasons := needed.Reasons
	line.Outcome = finding.NotNeeded
	if len(needed.Debian) > 0 {
		line.Outcome = finding.Imported
		reasons = append([]string{"Packages " + strings.Join(needed.Debian, ", ")}, reasons...)
		for _, name := range needed.Debian {
			st.Debian = append(st.Debian, finding.Found(name, line.Place))
		}
	}
	if len(needed.Unclear) > 0 {
		line.Outcome, line.Setting = finding.ByHand, "Packages"
		reasons = append(reasons,
			strings.Join(needed.Unclear, ", ")+" is not the name of a package of Debian")
		line.Write = `if the program runs it: Base: "debian", Packages: []string{"…"}`
	}
	line.Reason = cmp.Or(strings.Join(reasons, "; "), "it installs nothing")
}
