package run

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

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
			return moveFiles(c, st, names, true, lines)
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
		return moveFiles(c, st, names, c.name == "cp", lines)
	case "ln":
		return linkFile(c, st, repo, lines)
	case "rm", "rmdir", "unlink", "truncate":
		removeFiles(c, st, lines)
	case "touch":
		if !st.Ships() {
			made(c, c.args, st, lines)
			break
		}
		c.byHand(lines, "Assets", "an empty file",
			"if the program needs it: commit an empty file, and copy it with Assets")
	case "echo", "printf", "cat", "tee":
		if c.To == "" || c.To == "/dev/null" {
			return false
		}
		if !st.Ships() {
			made(c, []string{c.To}, st, lines)
			break
		}
		if rootfs.AddedByThimble(c.To) {
			c.say(lines, finding.NotNeeded,
				"Go's resolver does not need it; thimble adds what the binary needs")
			break
		}
		c.byHand(lines, "Assets", "it writes "+c.To,
			"if the program reads it: commit the file, and copy it: {Source: \"…\", Target: "+
				strconv.Quote(st.Abs(c.To))+"}")
	case "sed":
		if st.Ships() || !slices.ContainsFunc(c.args, inPlace) {
			return false
		}
		made(c, c.args, st, lines)
	default:
		return false
	}
	return true
}

// inPlace reports whether an argument of sed makes it change files.
func inPlace(arg string) bool {
	return strings.HasPrefix(arg, "-i") || strings.HasPrefix(arg, "--in-place")
}

// made handles a command that makes files of a build stage, or changes those that are there.
func made(c command, names []string, st *state.State, lines *outcome.Lines) {
	c.say(lines, finding.NotNeeded, "nothing of a build stage is in the image unless it is copied")
	for _, name := range names {
		p := c.path(name)
		there := slices.ContainsFunc(st.FS.Entries, func(e rootfs.Entry) bool { return e.Target == p })
		if c.name == "sed" && !there || strings.HasPrefix(name, "-") {
			continue // a flag, a script, or a file of the source tree
		}
		st.FS.Put(rootfs.Entry{Kind: rootfs.Other, Target: p, From: c.Place})
	}
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
		e := c.folder(c.path(name), uid, gid, line)
		if m, ok := filemode.Octal(mode); ok && mode != "" {
			e.Mode = m
		}
		if !rootfs.InUsualBases(e.Target) {
			st.FS.Put(e)
		}
	}
}
