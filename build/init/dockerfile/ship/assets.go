package ship

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/accounts"
	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/plan"
)

// assets adds the files and folders of the image.
func assets(p *finding.Program, binary string, st *state.State, repo repository.Repository) {
	for _, c := range st.Certs {
		if source, ok := inModule(p.Module, c.Value); ok {
			p.Runtime.CACertificates = append(p.Runtime.CACertificates, finding.Found(source, c.From))
		}
	}
	for _, i := range st.Include {
		if !slices.Contains(p.Runtime.Include, i) {
			p.Runtime.Include = append(p.Runtime.Include, i)
		}
	}
	for _, l := range st.Symlinks {
		switch e, ok := st.FS.At(l.Value.Target); {
		case !ok || e.Kind == rootfs.Other:
			outcome.ByHand(l.Line, "Symlinks", "init does not know what is at "+l.Value.Target,
				"if the program needs it: Symlinks: {Path: "+strconv.Quote(l.Value.Path)+", Target: "+
					strconv.Quote(l.Value.Target)+"}")
		case e.Kind == rootfs.Program:
			outcome.NotNeeded(l.Line, "the program is at /app/"+repo.Program(e.Main))
		default:
			p.Runtime.Symlinks = append(p.Runtime.Symlinks, l.Found())
		}
	}
	used := map[*finding.Line]bool{}
	var changes []*finding.Line
	for i, e := range st.FS.Entries {
		before := len(p.Runtime.Assets)
		switch e.Kind {
		case rootfs.File:
			fileAsset(p, i, binary, st, repo)
		case rootfs.Folder:
			folderAsset(p, e, st)
		}
		changes = append(changes, e.Changes...)
		for _, l := range e.Changes {
			used[l] = used[l] || len(p.Runtime.Assets) > before
		}
	}
	for _, l := range changes {
		if !used[l] && l.Outcome == finding.Imported {
			outcome.NotNeeded(l, "a volume, a home or the program is there, and has what it needs")
		}
	}
	slices.SortStableFunc(p.Runtime.Assets, func(a, b finding.Value[plan.Asset]) int {
		return cmp.Compare(a.From.Line, b.From.Line)
	})
}

// fileAsset adds a file or a folder with its content.
func fileAsset(p *finding.Program, at int, binary string, st *state.State, repo repository.Repository) {
	e := st.FS.Entries[at]
	if e.Line == nil { // source of a stage that compiles, or a script that was translated
		return
	}
	source, ok := inModule(p.Module, e.Source)
	if !ok {
		outcome.ByHand(e.Line, "Assets", e.Source+" is outside of the module's folder",
			"copy it there, or let Before copy it: {Source: \"…\", Target: "+strconv.Quote(e.Target)+"}")
		return
	}
	if e.Target == "/app/"+binary {
		outcome.ByHand(e.Line, "Assets", e.Target+" is the path of the program",
			"use another path, or another Name of the image")
		return
	}
	asset := plan.Asset{Source: source, Target: e.Target, Mode: e.Mode, UID: e.UID, GID: e.GID}
	if !strings.HasSuffix(e.Source, "/") {
		p.Runtime.Assets = append(p.Runtime.Assets, finding.Found(asset, e.From))
		return
	}
	// What a later line puts into the folder replaces what is there.
	dir := path.Clean(e.Source)
	split, fits := repo.Context.Split(dir, func(name string) bool {
		target := path.Join(e.Target, strings.TrimPrefix(strings.TrimPrefix(name, dir), "/"))
		return slices.ContainsFunc(st.FS.Entries[at+1:],
			func(o rootfs.Entry) bool { return o.Kind == rootfs.File && o.Target == target })
	})
	if !fits || len(repo.Files.Under(dir)) == 0 { // made by Before
		split = []string{"./"}
	}
	for _, name := range split {
		part := asset
		part.Source, part.Target = path.Join(source, name), path.Join(e.Target, name)
		p.Runtime.Assets = append(p.Runtime.Assets, finding.Found(part, e.From))
	}
}

// folderAsset adds a folder without content, unless something else makes it.
func folderAsset(p *finding.Program, e rootfs.Entry, st *state.State) {
	if e.Line == nil {
		return
	}
	prefix := strings.TrimSuffix(e.Target, "/") + "/"
	if e.UID == 0 && e.GID == 0 && e.Mode == 0 {
		if e.Target == "/app" || slices.ContainsFunc(st.FS.Entries,
			func(o rootfs.Entry) bool {
				return (o.Kind == rootfs.File || o.Kind == rootfs.Folder) &&
					strings.HasPrefix(o.Target, prefix)
			}) {
			return
		}
	}
	if e.Target == st.WorkingDir.Value && e.UID == 0 && e.GID == 0 ||
		slices.ContainsFunc(st.FS.Entries, func(o rootfs.Entry) bool {
			return o.Kind == rootfs.File &&
				o.Target == e.Target
		}) {
		return
	}
	for _, u := range p.Runtime.Users {
		home := cmp.Or(u.Value.Home, "/home/"+u.Value.Name)
		if home == e.Target && u.Value.UID == e.UID && e.Mode == 0 {
			return
		}
	}
	if slices.ContainsFunc(p.Runtime.Volumes,
		func(v finding.Value[string]) bool { return v.Value == e.Target }) && isUser(p, e) && e.Mode == 0 {
		return
	}
	p.Runtime.Assets = append(p.Runtime.Assets,
		finding.Found(plan.Asset{Target: e.Target, Mode: e.Mode, UID: e.UID, GID: e.GID}, e.From))
	if e.Line.Outcome == finding.NotNeeded {
		outcome.Imported(e.Line, "Assets: an empty folder")
	}
}

// isUser reports whether an entry belongs to the user of the image, who owns its volumes.
func isUser(p *finding.Program, e rootfs.Entry) bool {
	user, _, _ := strings.Cut(p.Runtime.User.Value, ":")
	if user == "" {
		user = "65532"
	}
	for _, u := range p.Runtime.Users {
		if u.Value.Name == user {
			return u.Value.UID == e.UID
		}
	}
	return accounts.Number(user) == e.UID
}

// inModule returns a path of the repository relative to the folder of a module.
func inModule(module, name string) (string, bool) {
	if module == "" {
		return path.Clean(name), true
	}
	rel, ok := strings.CutPrefix(name, module+"/")
	return path.Clean(rel), ok && rel != ""
}
