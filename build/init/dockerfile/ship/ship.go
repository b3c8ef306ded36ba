// Package ship makes the program of an image: its settings, as Config has them. It takes the state
// of a stage that is an image, and of the stages that compile for it. It is the last to say what
// becomes of a line: a folder that a volume makes anyway needs no asset.
package ship

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/entrypoint"
	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/plan"
)

// Program returns the program of an image. states are those of all stages. earlier are the programs
// of other images of the Dockerfile. ok is false if the image ships no program of the repository,
// or one that an earlier image ships.
func Program(st *state.State, states []*state.State, repo repository.Repository,
	earlier []finding.Program, lines *outcome.Lines) (p finding.Program, ok bool) {
	run := entrypoint.Start(st, repo)
	if mains := st.FS.Mains(); run.Main < 0 && len(mains) > 0 {
		run.Main = mains[0]
	}
	if run.Main < 0 {
		return p, false
	}
	main := repo.Mains[run.Main]
	if slices.ContainsFunc(earlier, func(p finding.Program) bool {
		return p.Module == main.Module && p.Package == main.Package
	}) {
		return p, false
	}
	p = finding.Program{Module: main.Module, Package: main.Package, From: st.Stage.From.Place}
	programs(&p, run.Main, st, repo)
	compiled(&p, run.Main, states)
	if p.Build.Compiler.Set() && !repo.NeedsCgo(p.Module) {
		p.Build.Compiler = finding.Value[bool]{}
	}
	p.Doubt = doubt(run, st, main)
	binary := repo.Program(run.Main)
	run.Say(st, binary)
	if run.Why == "" && run.Script != "" {
		dropScript(st, run.Script)
	}
	settings(&p.Runtime, run, st)
	user(&p.Runtime, run, st)
	health(&p.Runtime, run.Main, st, repo)
	assets(&p, binary, st, repo)
	base(&p, st, lines)
	owners(st.Stage, p, len(earlier) == 0, lines)
	return p, true
}

// programs adds the other programs of the image, and the capabilities of its own.
func programs(p *finding.Program, main int, st *state.State, repo repository.Repository) {
	for _, e := range st.FS.Entries {
		if e.Kind != rootfs.Program {
			continue
		}
		if e.Main == main {
			p.From = e.From
			if name := path.Base(e.Target); name == repo.Mains[main].Binary { // no other file renames it
				p.Name = finding.Found(name, e.From)
			}
			for _, c := range e.Caps {
				p.Runtime.Capabilities = append(p.Runtime.Capabilities, finding.Found(c, e.From))
			}
		} else if rel := relative(repo.Mains[main], repo.Mains[e.Main]); rel != "" &&
			!slices.ContainsFunc(p.Programs, func(v finding.Value[string]) bool { return v.Value == rel }) {
			p.Programs = append(p.Programs, finding.Found(rel, e.From))
			if e.Line != nil && e.Line.Outcome == finding.NotNeeded {
				outcome.Imported(e.Line, "Programs: "+rel)
			}
		}
	}
}

// doubt says why the image may be none of the program.
func doubt(run entrypoint.Started, st *state.State, main finding.Main) string {
	name, _, _ := strings.Cut(path.Base(st.Base), ":")
	switch {
	case strings.EqualFold(name, main.Binary):
		return "its base is an image of the program itself"
	case !st.Entrypoint.Set() && !st.Cmd.Set():
		return "it starts nothing"
	case run.Script == "":
		return run.Why
	}
	return ""
}

// dropScript removes a script of which nothing is left to do.
func dropScript(st *state.State, source string) {
	st.FS.Entries = slices.DeleteFunc(st.FS.Entries, func(e rootfs.Entry) bool {
		if e.Source != source || e.Line == nil {
			return false
		}
		for _, l := range append(slices.Clone(e.Changes), e.Line) {
			if l.Outcome == finding.Imported {
				outcome.NotNeeded(l, "Runtime.Env and Runtime.Args do what the script does")
			}
		}
		return true
	})
}

// base chooses what is below the image.
func base(p *finding.Program, st *state.State, lines *outcome.Lines) {
	switch {
	case st.FromLine != nil && st.FromLine.Outcome == finding.Imported:
		p.Runtime.Base = finding.Found(st.Base, st.From)
		for _, l := range lines.All() { // packages of another distribution
			if slices.ContainsFunc(st.Debian,
				func(d finding.Value[string]) bool { return d.From == l.Place }) {
				outcome.ByHand(l, "Base", "the base is an image, which has packages of its own",
					"make an image that has them, and use it as Base")
			}
		}
		return
	case len(st.Debian) > 0:
		cgo := p.Build.Cgo
		if !cgo.Set() {
			cgo = p.Build.Compiler
		}
		p.Runtime.Base = finding.Found(plan.BaseDebian, st.Debian[0].From)
		p.Runtime.Packages = st.Debian
		if cgo.Value {
			p.Runtime.Packages = append(p.Runtime.Packages, finding.Found("libc6", cgo.From))
		}
	}
}

// owners says for the lines of an image which program they are about. The first image of a
// Dockerfile also has the lines of all other stages.
func owners(s *syntax.Stage, p finding.Program, first bool, lines *outcome.Lines) {
	in := map[int]bool{}
	for c := s; c != nil; c = c.Parent {
		last := c.From.Last
		if len(c.Body) > 0 {
			last = c.Body[len(c.Body)-1].Last
		}
		for n := c.From.Line; n <= last; n++ {
			in[n] = true
		}
	}
	for _, l := range lines.All() {
		if l.Package == "" && (in[l.Line] || first) {
			l.Module, l.Package = p.Module, p.Package
		}
	}
}
