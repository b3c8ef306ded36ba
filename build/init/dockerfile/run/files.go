package run

import (
	"cmp"
	"strconv"

	"github.com/thimble-build/thimble/build/init/dockerfile/filemode"
	"github.com/thimble-build/thimble/build/init/dockerfile/getopt"
	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
)

// fileCommand handles commands that make, change or remove files.
func fileCommand(c command, st *state.State, repo repository.Repository, lines *outcome.Lines) bool {
	switch c.name {
	case "mkdir":
		opts, names := getopt.Parse(c.args, "m", map[string]byte{"parents": 'p', "mode": 'm', "verbose": 'v'})
		makeFolders(c, st, names, opts['m'], "", lines)
	case "install":
		opts, names := getopt.Parse(c.args, "mogt",
			map[string]byte{"directory": 'd', "mode": 'm', "owner": 'o', "group": 'g'})
		if _, folders := opts['d']; !folders {
			return moved(c, st, names, true, lines)
		}
		owner := opts['o']
		if group := opts['g']; group != "" {
			owner += ":" + group
		}
		makeFolders(c, st, names, opts['m'], owner, lines)
	case "chown", "chgrp":
		chown(c, st, lines)
	case "chmod":
		chmod(c, st, lines)
	case "setcap":
		setcap(c, st, repo, lines)
	case "cp", "mv":
		_, names := getopt.Parse(c.args, "tS",
			map[string]byte{"recursive": 'r', "archive": 'a', "verbose": 'v'})
		return moved(c, st, names, c.name == "cp", lines)
	case "ln":
		return linked(c, st, repo, lines)
	case "rm", "rmdir", "unlink", "truncate":
		removed(c, st, lines)
	case "touch":
		if !st.Ships() {
			c.say(lines, finding.NotNeeded, "nothing of a build stage is in the image unless it is copied")
			break
		}
		c.byHand(lines, "Assets", "an empty file",
			"if the program needs it: commit an empty file, and copy it with Assets")
	case "echo", "printf", "cat", "tee":
		if c.To == "" || !st.Ships() {
			return false
		}
		if rootfs.AddedByThimble(c.To) {
			c.say(lines, finding.NotNeeded,
				"Go's resolver does not need it; thimble adds what the binary needs")
			break
		}
		c.byHand(lines, "Assets", "it writes "+c.To,
			"if the program reads it: commit the file, and copy it: {Source: \"…\", Target: "+
				strconv.Quote(st.Abs(c.To))+"}")
	default:
		return false
	}
	return true
}

// makeFolders adds folders without content.
func makeFolders(c command, st *state.State, names []string, mode, owner string, lines *outcome.Lines) {
	line := c.say(lines, finding.NotNeeded, "the folders are there, or nothing uses them")
	if !st.Ships() {
		line.Reason = "nothing of a build stage is in the image unless it is copied"
	}
	uid, gid, ok := st.Accounts.Owner(cmp.Or(owner, st.User))
	if !ok {
		uid, gid = 0, 0
	}
	for _, name := range names {
		e := folder(c, c.path(name), uid, gid, line)
		if m, ok := filemode.Octal(mode); ok && mode != "" {
			e.Mode = m
		}
		if !rootfs.InUsualBases(e.Target) {
			st.FS.Put(e)
		}
	}
}
