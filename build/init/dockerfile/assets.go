package dockerfile

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/plan"
)

// assets adds the files and folders of the image.
func (r *reader) assets(p *finding.Program, st *state, binary string) {
	for _, c := range st.certs {
		if source, ok := inModule(p.Module, c.Value); ok {
			p.Runtime.CACertificates = append(p.Runtime.CACertificates, finding.Found(source, c.From))
		}
	}
	for _, i := range st.include {
		if !slices.Contains(p.Runtime.Include, i) {
			p.Runtime.Include = append(p.Runtime.Include, i)
		}
	}
	for _, l := range st.links {
		switch e, ok := st.at(r, l.value[1]); {
		case !ok || e.kind == other:
			l.line.Outcome, l.line.Setting, l.line.Reason = finding.ByHand, "Symlinks",
				"init does not know what is at "+l.value[1]
			l.line.Write = "if the program needs it: Symlinks: {Path: " + quote(l.value[0]) + ", Target: " +
				quote(l.value[1]) + "}"
			continue
		case e.kind == program:
			l.line.Outcome, l.line.Reason = finding.NotNeeded,
				"the program is at /app/"+strings.ToLower(r.mains[e.main].Binary)
			continue
		}
		p.Runtime.Symlinks = append(p.Runtime.Symlinks,
			finding.Found(plan.Symlink{Path: l.value[0], Target: l.value[1]}, l.from))
	}
	used := map[*finding.Line]bool{}
	var changes []*finding.Line
	for i, e := range st.entries {
		before := len(p.Runtime.Assets)
		switch e.kind {
		case file:
			r.fileAsset(p, st, i, binary)
		case folder:
			r.folderAsset(p, st, e)
		}
		changes = append(changes, e.changes...)
		for _, l := range e.changes {
			used[l] = used[l] || len(p.Runtime.Assets) > before
		}
	}
	for _, l := range changes {
		if !used[l] && l.Outcome == finding.Imported {
			l.Outcome, l.Reason = finding.NotNeeded,
				"a volume, a home or the program is there, and has what it needs"
		}
	}
	slices.SortStableFunc(p.Runtime.Assets, func(a,
		b finding.Value[plan.Asset]) int {
		return cmp.Compare(a.From.Line, b.From.Line)
	})
}

// fileAsset adds a file or a folder with its content.
func (r *reader) fileAsset(p *finding.Program, st *state, at int, binary string) {
	e := st.entries[at]
	if e.line == nil { // source of a stage that compiles, or a script that was translated
		return
	}
	source, ok := inModule(p.Module, e.source)
	if !ok {
		e.line.Outcome, e.line.Setting = finding.ByHand, "Assets"
		e.line.Reason = e.source + " is outside of the module's folder"
		e.line.Write = "copy it there, or let Before copy it: {Source: \"…\", Target: " +
			quote(e.target) + "}"
		return
	}
	if e.target == "/app/"+binary {
		e.line.Outcome, e.line.Setting, e.line.Reason = finding.ByHand, "Assets",
			e.target+" is the path of the program"
		e.line.Write = "use another path, or another Name of the image"
		return
	}
	asset := plan.Asset{Source: source, Target: e.target, Mode: e.mode, UID: e.uid, GID: e.gid}
	if !strings.HasSuffix(e.source, "/") {
		p.Runtime.Assets = append(p.Runtime.Assets, finding.Found(asset, e.from))
		return
	}
	// What a later line puts into the folder replaces what is there.
	dir := path.Clean(e.source)
	split, fits := r.context.split(dir, func(name string) bool {
		target := path.Join(e.target, strings.TrimPrefix(strings.TrimPrefix(name, dir), "/"))
		return slices.ContainsFunc(st.entries[at+1:],
			func(o entry) bool { return o.kind == file && o.target == target })
	})
	if !fits || len(r.files.Under(dir)) == 0 { // made by Before
		split = []string{"./"}
	}
	for _, name := range split {
		part := asset
		part.Source, part.Target = path.Join(source, name), path.Join(e.target, name)
		p.Runtime.Assets = append(p.Runtime.Assets, finding.Found(part, e.from))
	}
}

// folderAsset adds a folder without content, unless something else makes it.
func (r *reader) folderAsset(p *finding.Program, st *state, e entry) {
	if e.line == nil {
		return
	}
	prefix := strings.TrimSuffix(e.target, "/") + "/"
	if e.uid == 0 && e.gid == 0 && e.mode == 0 {
		if e.target == "/app" || slices.ContainsFunc(st.entries,
			func(o entry) bool {
				return (o.kind == file || o.kind == folder) &&
					strings.HasPrefix(o.target, prefix)
			}) {
			return
		}
	}
	if e.target == st.workdirSet.value && e.uid == 0 && e.gid == 0 ||
		slices.ContainsFunc(st.entries, func(o entry) bool {
			return o.kind == file &&
				o.target == e.target
		}) {
		return
	}
	for _, u := range p.Runtime.Users {
		home := or(u.Value.Home, "/home/"+u.Value.Name)
		if home == e.target && u.Value.UID == e.uid && e.mode == 0 {
			return
		}
	}
	if slices.ContainsFunc(p.Runtime.Volumes,
		func(v finding.Value[string]) bool { return v.Value == e.target }) && r.isUser(p, e) && e.mode == 0 {
		return
	}
	p.Runtime.Assets = append(p.Runtime.Assets,
		finding.Found(plan.Asset{Target: e.target, Mode: e.mode, UID: e.uid, GID: e.gid}, e.from))
	if e.line.Outcome == finding.NotNeeded {
		e.line.Outcome, e.line.Reason = finding.Imported, "Assets: an empty folder"
	}
}

// isUser reports whether an entry belongs to the user of the image, who owns its volumes.
func (r *reader) isUser(p *finding.Program, e entry) bool {
	user, _, _ := strings.Cut(p.Runtime.User.Value, ":")
	if user == "" {
		user = "65532"
	}
	for _, u := range p.Runtime.Users {
		if u.Value.Name == user {
			return u.Value.UID == e.uid
		}
	}
	return atoi(user) == e.uid
}

// inModule returns a path of the repository relative to the folder of a module.
func inModule(module, name string) (string, bool) {
	if module == "" {
		return path.Clean(name), true
	}
	rel, ok := strings.CutPrefix(name, module+"/")
	return path.Clean(rel), ok && rel != ""
}
