package run

import (
	"cmp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/getopt"
	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
)

// setcap gives a program capabilities.
func setcap(c command, st *state.State, repo repository.Repository, lines *outcome.Lines) {
	line := c.say(lines, finding.ByHand, "init does not know the file")
	line.Setting, line.Write = "Capabilities", `Capabilities: []string{"cap_net_bind_service"}`
	_, rest := getopt.Parse(c.args, "n", nil)
	if len(rest) < 2 {
		return
	}
	caps := strings.FieldsFunc(strings.ToLower(strings.NewReplacer("+eip", "", "+ep", "", "=eip", "", "=ep",
		"", "=+ep", "", "+pe", "", "=+eip", "", "+ei", "").Replace(strings.Trim(rest[0], `'"`))),
		func(r rune) bool { return r == ',' || r == ' ' || r == '=' })
	at, ok := st.Program(repo, rest[1])
	if !ok || slices.ContainsFunc(caps, func(c string) bool { return !strings.HasPrefix(c, "cap_") }) {
		return
	}
	for i := range st.FS.Entries {
		if e := &st.FS.Entries[i]; e.Kind == rootfs.Program && e.Main == at {
			e.Caps = caps
			e.Line = cmp.Or(e.Line, line)
		}
	}
	line.Outcome, line.Reason, line.Setting, line.Write = finding.Imported, "Capabilities", "", ""
	if !st.Ships() {
		line.Reason = "Capabilities, if an image copies the program"
	}
}
