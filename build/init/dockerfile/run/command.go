package run

import (
	"path"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/script"
)

// command is one command of a RUN instruction.
type command struct {
	script.Command
	finding.Place
	// name is the program without its folder, args are its arguments.
	name string
	args []string
}

// Line returns the line of the command in the Dockerfile.
func (c command) Line() int { return c.Place.Line }

// say adds the outcome of the command.
func (c command) say(lines *outcome.Lines, o finding.Outcome, reason string) *finding.Line {
	return lines.Add(finding.Line{Place: c.Place, Text: "RUN " + c.Text, Outcome: o, Reason: reason})
}

// byHand adds the outcome of a command that the user has to replace.
func (c command) byHand(lines *outcome.Lines, setting, reason, write string) {
	outcome.ByHand(c.say(lines, finding.ByHand, ""), setting, reason, write)
}

// path returns a path of the stage.
func (c command) path(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/", c.Dir, name)
}

// words returns the command with the name of its program.
func (c command) words() []string { return append([]string{c.name}, c.args...) }

// folder returns a folder without content that the command makes.
func (c command) folder(target string, uid, gid int, line *finding.Line) rootfs.Entry {
	return rootfs.Entry{Kind: rootfs.Folder, Target: target, UID: uid, GID: gid, From: c.Place, Line: line}
}
