package gobuild

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/mains"
)

// Found is a build command in a file with several, such as a Makefile.
type Found struct {
	Build
	At finding.Place
	// Task is the name of the target or task.
	Task string
}

var (
	releases = regexp.MustCompile(
		`(?i)(^|[-_./:])(release|dist|linux|docker|image|container|prod|production|static|package)`)
	builds = regexp.MustCompile(`(?i)(^|[-_./:])(build|all|bin|compile|binary|server)`)
	others = regexp.MustCompile(
		`(?i)(^|[-_./:])(test|tests|e2e|dev|debug|run|race|lint|check|bench|fuzz|cover|demo|example|` +
			`darwin|macos|windows|freebsd|ci|tools?|gen|watch|local)`)
)

// generic are names of output files that say nothing about the program.
var generic = []string{
	"a.out", "app", "application", "bin", "binary", "main", "out", "output", "prog", "program", "server",
	"service", "svc", "target",
}

// rank orders builds of one program: the first is what someone ships.
func (f Found) rank() int {
	rank := 2
	switch {
	case others.MatchString(f.Task):
		rank = 4
	case releases.MatchString(f.Task):
		rank = 0
	case builds.MatchString(f.Task):
		rank = 1
	}
	if system := f.Env["GOOS"]; system == "darwin" || system == "windows" ||
		system == "freebsd" || system == "js" {
		rank += 10
	}
	if slices.Contains(f.Flags, "-race") || slices.Contains(f.Flags, "-cover") {
		rank += 5
	}
	return rank
}

// Where returns the place of the text of a linker flag, or otherwise.
type Where func(flag string, otherwise finding.Place) finding.Place

// Source returns the programs that the build commands of a file make, and the outcomes of the
// commands. where returns the place of the text of a linker flag; it may be nil.
func Source(kind finding.Kind, file string, found []Found, t *mains.Tree, where Where) finding.Source {
	s := finding.Source{Kind: kind, File: file}
	type key struct{ module, pkg string }
	best := map[key]int{}
	found = slices.Clone(found)
	order := slices.Clone(found)
	slices.SortStableFunc(found, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(len(b.LDFlags), len(a.LDFlags)))
	})
	chosen := map[finding.Place]bool{}
	for _, f := range found {
		for _, m := range f.mains(t) {
			k := key{m.Module, m.Package}
			if i, ok := best[k]; ok {
				complete(&s.Programs[i], f)
				continue
			}
			best[k] = len(s.Programs)
			settings, lines := Settings(f.Build, f.At, func(flag string) finding.Place {
				if where == nil {
					return f.At
				}
				return where(flag, f.At)
			})
			p := finding.Program{Module: m.Module, Package: m.Package, From: f.At, Build: settings}
			if name := f.Name(); name != "" && len(f.Packages) == 1 && !slices.Contains(generic, name) {
				p.Name = finding.Found(name, f.At)
			}
			s.Programs = append(s.Programs, p)
			for _, l := range lines {
				l.Module, l.Package = m.Module, m.Package
				if !slices.Contains(s.Lines, l) {
					s.Lines = append(s.Lines, l)
				}
			}
			chosen[f.At] = true
		}
	}
	for _, f := range order {
		l := finding.Line{Place: f.At, Text: f.Text, Outcome: finding.Imported, Reason: "Images"}
		programs := f.mains(t)
		if len(programs) > 0 {
			l.Module, l.Package = programs[0].Module, programs[0].Package
		}
		switch {
		case len(programs) == 0:
			l.Outcome, l.Reason = finding.NotNeeded,
				"it makes no program of this repository, or only checks that it compiles"
		case !chosen[f.At]:
			first := s.Programs[best[key{l.Module, l.Package}]]
			l.Outcome, l.Reason = finding.NotNeeded,
				"another line builds the same program for a release: "+first.From.String()
		}
		same := func(o finding.Line) bool { return o.Place == l.Place && o.Text == l.Text }
		if !slices.ContainsFunc(s.Lines, same) {
			s.Lines = append(s.Lines, l)
		}
	}
	slices.SortStableFunc(s.Programs, func(a,
		b finding.Program) int {
		return cmp.Compare(a.From.Line, b.From.Line)
	})
	slices.SortStableFunc(s.Lines, func(a, b finding.Line) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return s
}

// complete adds what only another build of the same program says: version variables, and cgo.
func complete(p *finding.Program, f Found) {
	settings, _ := Settings(f.Build, f.At, nil)
	if len(p.Build.LDFlags) == 0 {
		p.Build.LDFlags = settings.LDFlags
	}
	if !p.Build.Cgo.Set() && f.rank() < 10 {
		p.Build.Cgo = settings.Cgo
	}
}

// mains returns the programs that a command makes. With several packages and no -o, "go build"
// makes none.
func (f Found) mains(t *mains.Tree) []mains.Main {
	all := t.Resolve(f.Dir, f.Packages)
	pattern := slices.ContainsFunc(f.Packages, func(p string) bool { return p == "./..." || p == "..." })
	if !f.Install && f.Output == "" && (len(f.Packages) > 1 && len(all) > 1 || pattern) {
		return nil
	}
	return all
}
