package run

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/filemode"
	"github.com/thimble-build/thimble/build/init/dockerfile/getopt"
	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
)

// chown sets the owner of entries.
func chown(c command, st *state.State, lines *outcome.Lines) {
	line := c.say(lines, finding.NotNeeded, "nothing in the image is there, or it has this owner")
	opts, rest := getopt.Parse(c.args, "", map[string]byte{"recursive": 'R', "verbose": 'v'})
	if len(rest) < 2 {
		return
	}
	spec := rest[0]
	if c.name == "chgrp" {
		spec = ":" + spec
	}
	uid, gid, ok := st.Accounts.Owner(spec)
	if !ok {
		outcome.ByHand(line, "Assets", spec+" is not a number and not a user of the Dockerfile",
			"set UID and GID of the assets")
		return
	}
	keeps := c.name == "chown" && !strings.ContainsAny(spec, ":.") // the group
	if keeps {
		gid = 0 // of a folder that is added below
	}
	_, recursive := opts['R']
	for _, name := range rest[1:] {
		p := c.path(name)
		if st.Ships() && uid+gid > 0 {
			parents(c, st, p, recursive, line)
		}
		for _, e := range st.FS.Under(p) {
			if !recursive && e.Target != p || e.Kind == rootfs.Program || e.Kind == rootfs.System {
				continue
			}
			if e.UID == uid && (e.GID == gid || keeps) {
				continue
			}
			if c.name == "chown" {
				e.UID = uid
			}
			if !keeps {
				e.GID = gid
			}
			if e.Line != nil && st.Ships() {
				outcome.Imported(line, "UID and GID of Assets")
				e.Changes = append(slices.Clone(e.Changes), line)
			}
		}
		if _, ok := st.FS.At(p); !ok && !rootfs.InUsualBases(p) && len(st.FS.Under(p)) == 0 &&
			(p != st.Workdir || uid != 0) { // WORKDIR has made it
			st.FS.Put(c.folder(p, uid, gid, line))
		} else if p == st.Workdir && !rootfs.InUsualBases(p) &&
			!slices.ContainsFunc(st.FS.Entries, func(e rootfs.Entry) bool { return e.Target == p }) {
			st.FS.Put(c.folder(p, uid, gid, line))
		}
	}
}

// parents adds the folders that a COPY has made for a file: p, and with recursive those below it.
func parents(c command, st *state.State, p string, recursive bool, line *finding.Line) {
	var folders []string
	for _, e := range st.FS.Under(p) {
		for dir := path.Dir(e.Target); e.Kind == rootfs.File && len(dir) >= len(p) &&
			dir != "/"; dir = path.Dir(dir) {
			if !rootfs.InUsualBases(dir) && (dir == p || recursive && strings.HasPrefix(dir, p+"/")) {
				folders = append(folders, dir)
			}
		}
	}
	for _, dir := range folders {
		if _, ok := st.FS.At(dir); !ok {
			st.FS.Put(c.folder(dir, 0, 0, line))
		}
	}
}

// chmod sets the mode of entries.
func chmod(c command, st *state.State, lines *outcome.Lines) {
	line := c.say(lines, finding.NotNeeded, "the modes are those of git, and the program is executable")
	opts, rest := getopt.Parse(c.args, "", map[string]byte{"recursive": 'R', "verbose": 'v'})
	if len(c.args) > 0 && len(rest) > 0 && strings.HasPrefix(c.args[0], "-") &&
		!strings.Contains(c.args[0], "R") && len(c.args[0]) > 1 &&
		strings.ContainsAny(c.args[0][1:2], "rwx") {
		rest = append([]string{c.args[0]}, rest...) // chmod -w file
	}
	if len(rest) < 2 {
		return
	}
	_, recursive := opts['R']
	for _, name := range rest[1:] {
		p := c.path(name)
		targets := st.FS.Under(p)
		if e, ok := st.FS.At(p); ok && len(targets) == 0 && e.Kind == rootfs.File &&
			!strings.HasSuffix(e.Source, "/") {
			e.From, e.Line = c.Place, line
			st.FS.Put(e)
			targets = st.FS.Under(p)
		}
		for _, e := range targets {
			if !recursive && e.Target != p || e.Kind == rootfs.Program || e.Kind == rootfs.System {
				continue
			}
			was := e.Mode
			if was == 0 {
				was = 0o644
				if e.Kind == rootfs.Folder || strings.HasSuffix(e.Source, "/") {
					was = 0o755
				}
			}
			mode, ok := filemode.Octal(rest[0])
			if !ok {
				mode, ok = filemode.Symbolic(rest[0], was)
			}
			if !ok {
				outcome.ByHand(line, "Assets", "init does not know the mode "+rest[0],
					"set Mode of the assets")
				continue
			}
			if mode != was && e.Line != nil && st.Ships() {
				e.Mode = mode
				outcome.Imported(line, "Mode of Assets")
				e.Changes = append(slices.Clone(e.Changes), line)
			}
		}
	}
}
