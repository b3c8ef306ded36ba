package makefile

import (
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/gobuild"
	"github.com/thimble-build/thimble/build/init/mains"
)

// Names are the names of a Makefile, in make's order.
var Names = []string{"GNUmakefile", "makefile", "Makefile"}

// Source returns the programs that the recipes build.
func (f *File) Source(t *mains.Tree) finding.Source {
	var found []gobuild.Found
	for _, c := range f.All() {
		if b, ok := gobuild.Read(c.Command); ok {
			found = append(found, gobuild.Found{Build: b, At: c.Place, Task: c.Target})
		}
	}
	s := gobuild.Source(finding.Makefile, f.Name, found, t, f.Where)
	for _, l := range f.unread {
		s.Lines = append(s.Lines, finding.Line{
			Place: l.at, Text: l.text, Outcome: finding.ByHand,
			Reason: "init cannot read these shell commands", Setting: "Images",
		})
	}
	return s
}
