package run

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/getopt"
	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/plan"
)

// moveFiles handles cp, mv and install of a file.
func moveFiles(c command, st *state.State, names []string, keep bool, lines *outcome.Lines) bool {
	if len(names) < 2 {
		return false
	}
	target := names[len(names)-1]
	isFolder := strings.HasSuffix(target, "/") || len(names) > 2 || st.IsFolder(c.path(target))
	done := false
	for _, name := range names[:len(names)-1] {
		e, ok := st.FS.At(c.path(name))
		if !ok {
			continue
		}
		if !keep {
			st.FS.Entries = slices.DeleteFunc(st.FS.Entries, func(o rootfs.Entry) bool {
				return o.Target == e.Target && o.Kind == e.Kind && e.Kind == rootfs.Program
			})
		}
		e.Target = c.path(target)
		if isFolder && !strings.HasSuffix(e.Source, "/") {
			e.Target = path.Join(e.Target, path.Base(name))
		}
		st.FS.Put(e)
		done = true
	}
	switch {
	case done && st.Ships():
		c.say(lines, finding.NotNeeded, "what is copied has its last path")
	case st.Ships() && slices.ContainsFunc(names[:len(names)-1],
		func(n string) bool { return rootfs.AddedByThimble(path.Clean("/" + n)) }):
		c.say(lines, finding.NotNeeded, "thimble adds it if the binary needs it; TZ names the time zone")
	case !st.Ships():
		c.say(lines, finding.NotNeeded, "nothing of a build stage is in the image unless it is copied")
	default:
		return false
	}
	return true
}

// linkFile handles ln.
func linkFile(c command, st *state.State, repo repository.Repository, lines *outcome.Lines) bool {
	_, names := getopt.Parse(c.args, "tS", nil)
	if len(names) != 2 {
		return false
	}
	from, to := names[0], c.path(names[1])
	if st.IsFolder(to) {
		to = path.Join(to, path.Base(from))
	}
	if !path.IsAbs(from) {
		from = path.Join(path.Dir(to), from)
	}
	e, ok := st.FS.At(from)
	switch {
	case ok && e.Kind == rootfs.Program:
		e.Target = to
		e.From = c.Place
		st.FS.Put(e)
		c.say(lines, finding.NotNeeded, "the program is at /app/"+repo.Program(e.Main))
	case rootfs.AddedByThimble(to) || rootfs.AddedByThimble(from):
		c.say(lines, finding.NotNeeded, "thimble adds it if the binary needs it")
	case !st.Ships():
		c.say(lines, finding.NotNeeded, "nothing of a build stage is in the image unless it is copied")
	case strings.HasPrefix(from, "/dev/") || strings.HasPrefix(from, "/proc/"):
		c.byHand(lines, "Symlinks", "a log file that is a symlink to "+from,
			"let the program log to standard output")
	default: // of a file that a later line copies
		line := c.say(lines, finding.Imported, "Symlinks")
		st.Symlinks = append(st.Symlinks,
			state.Setting[plan.Symlink]{Value: plan.Symlink{Path: to, Target: from}, Line: line})
	}
	return true
}

// removeFiles handles rm.
func removeFiles(c command, st *state.State, lines *outcome.Lines) {
	line := c.say(lines, finding.NotNeeded, "what it removes is not in the image")
	_, names := getopt.Parse(c.args, "", nil)
	if !st.Ships() {
		return
	}
	for _, name := range names {
		p := c.path(name)
		if strings.HasSuffix(p, "/*") {
			p = path.Dir(p)
		}
		for _, e := range st.FS.Under(p) {
			if e.Kind == rootfs.File && e.Line != nil {
				line.Reason = "Assets without it"
				outcome.Replace(e.Line, c.Line())
			}
		}
		prefix := strings.TrimSuffix(p, "/") + "/"
		st.FS.Entries = slices.DeleteFunc(st.FS.Entries, func(e rootfs.Entry) bool {
			return e.Kind != rootfs.System && (e.Target == p && p == c.path(name) ||
				strings.HasPrefix(e.Target, prefix))
		})
	}
}
