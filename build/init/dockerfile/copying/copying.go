// Package copying follows COPY and ADD. It takes an instruction with the stage that it copies from,
// puts what is copied into the root file system of its own stage, and says what becomes of the line:
// an asset, a program that thimble compiles, something that thimble adds by itself, or work by
// hand. It copies no bytes.
package copying

import (
	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
)

// Apply follows a COPY or an ADD in a stage. from is the stage that it copies from, nil if it copies
// from the build context or an image.
func Apply(i syntax.Instruction, from *state.State, args syntax.Arguments, repo repository.Repository,
	st *state.State, lines *outcome.Lines) {
	if st.Ships() {
		line := lines.Say(i, finding.Imported, "Assets")
		c := imageCopy{transfer: newTransfer(i, from, args, repo, st, line)}
		c.follow()
		return
	}
	line := lines.Say(i, finding.NotNeeded, "the go command reads the source tree where it is")
	c := newTransfer(i, from, args, repo, st, line)
	c.followBuild()
}
