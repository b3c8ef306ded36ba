package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
)

// linked handles ln.
func (r *reader) linked(c running, st *state) bool {
	_, names := options(c.args, "tS", nil)
	if len(names) != 2 {
		return false
	}
	from, to := names[0], r.inDir(c, names[1])
	if st.isFolder(to) {
		to = path.Join(to, path.Base(from))
	}
	if !path.IsAbs(from) {
		from = path.Join(path.Dir(to), from)
	}
	e, ok := st.at(r, from)
	switch {
	case ok && e.kind == program:
		e.target = to
		e.from = c.Place
		st.put(e)
		r.sayRun(c, finding.NotNeeded, "the program is at /app/"+strings.ToLower(r.mains[e.main].Binary))
	case known(to) || known(from):
		r.sayRun(c, finding.NotNeeded, "thimble adds it if the binary needs it")
	case st.stage.role != ships:
		r.sayRun(c, finding.NotNeeded, "nothing of a build stage is in the image unless it is copied")
	case strings.HasPrefix(from, "/dev/") || strings.HasPrefix(from, "/proc/"):
		line := r.sayRun(c, finding.ByHand, "a log file that is a symlink to "+from)
		line.Setting, line.Write = "Symlinks", "let the program log to standard output"
	default: // of a file that a later line copies
		line := r.sayRun(c, finding.Imported, "Symlinks")
		st.links = append(st.links, setting[[2]string]{[2]string{to, from}, c.Place, line})
	}
	return true
}

// removed handles rm.
func (r *reader) removed(c running, st *state) {
	line := r.sayRun(c, finding.NotNeeded, "what it removes is not in the image")
	_, names := options(c.args, "", nil)
	if st.stage.role != ships {
		return
	}
	for _, name := range names {
		p := r.inDir(c, name)
		if strings.HasSuffix(p, "/*") {
			p = path.Dir(p)
		}
		for _, e := range st.under(p) {
			if e.kind == file && e.line != nil {
				line.Reason = "Assets without it"
				replaced(e.line, c.Line())
			}
		}
		prefix := strings.TrimSuffix(p, "/") + "/"
		st.entries = slices.DeleteFunc(st.entries, func(e entry) bool {
			return e.kind != system && (e.target == p && p == r.inDir(c, name) ||
				strings.HasPrefix(e.target, prefix))
		})
	}
}
