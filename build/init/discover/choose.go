package discover

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/mains"
)

// LeftOut is a main package that becomes no image.
type LeftOut struct {
	Module  string `json:"module,omitempty"`
	Package string `json:"package"`
	Reason  string `json:"reason"`
}

// Choice are the programs that become images.
type Choice struct {
	// Sources are the given ones, with only these programs.
	Sources []finding.Source
	// Left are all other main packages of the repository.
	Left []LeftOut
}

type key struct{ module, pkg string }

// folderKey returns the key of a further program, which can be in another module.
func folderKey(t *mains.Tree, module, pkg string) key {
	m, _ := t.At(path.Join(module, pkg))
	return key{m.Module, m.Package}
}

func keyOf(p finding.Program) key { return key{p.Module, p.Package} }

// Choose takes the programs that .ko.yaml, .goreleaser.yaml or a Dockerfile ships. If there are
// none, it takes those that a Makefile, a Taskfile or .promu.yml builds; then the main packages
// under cmd/ and at the root; then all others. Each time it leaves out tools, generators,
// examples, tests and internal programs, unless nothing else is there.
func Choose(t *mains.Tree, sources []finding.Source) Choice {
	chosen, reasons := decide(t, sources)
	var c Choice
	further := map[key]finding.Place{}
	for _, s := range sources {
		kept := s
		kept.Programs = nil
		for _, p := range s.Programs {
			if !chosen[keyOf(p)] {
				continue
			}
			kept.Programs = append(kept.Programs, p)
			for _, f := range p.Programs {
				further[folderKey(t, p.Module, f.Value)] = f.From
			}
		}
		c.Sources = append(c.Sources, kept)
	}
	own := finding.Source{Kind: finding.Go}
	for _, m := range t.Mains {
		k := key{m.Module, m.Package}
		if chosen[k] {
			own.Programs = append(own.Programs,
				finding.Program{Module: m.Module, Package: m.Package, From: finding.Place{File: m.Dir()}})
			continue
		}
		reason := m.Left
		if r, ok := reasons[k]; ok {
			reason = r
		}
		if from, ok := further[k]; ok {
			reason = "it is in another image: " + from.String()
		}
		if reason == "" {
			reason = "no file builds or ships it"
			if !m.Usual {
				reason = "it is not under cmd/ or at the root"
			}
		}
		c.Left = append(c.Left, LeftOut{m.Module, m.Package, reason})
	}
	c.Sources = append(c.Sources, own)
	return c
}

// decide returns the chosen programs, and the reasons for those that a file builds and that are
// left out.
func decide(t *mains.Tree, sources []finding.Source) (chosen map[key]bool, reasons map[key]string) {
	reasons = map[key]string{}
	for _, kinds := range [][]finding.Kind{{finding.Ko, finding.GoReleaser, finding.Dockerfile},
		{finding.Makefile, finding.Taskfile, finding.Promu}} {
		if len(chosen) > 0 {
			also(t, sources, kinds, chosen, reasons)
			break
		}
		chosen = shipped(t, sources, kinds, reasons)
	}
	if len(chosen) > 0 {
		return chosen, reasons
	}
	for _, wanted := range []func(mains.Main) bool{
		func(m mains.Main) bool { return m.Usual && m.Left == "" },
		func(m mains.Main) bool { return m.Left == "" },
		func(m mains.Main) bool { return m.Usual && m.Runs },
	} {
		for _, m := range t.Mains {
			if wanted(m) {
				chosen[key{m.Module, m.Package}] = true
			}
		}
		if len(chosen) > 0 {
			break
		}
	}
	return chosen, reasons
}

// shipped returns the programs that files of some kinds build.
func shipped(t *mains.Tree, sources []finding.Source, kinds []finding.Kind,
	reasons map[key]string) map[key]bool {
	chosen, doubtful, further := map[key]bool{}, map[key]bool{}, map[key]bool{}
	for _, s := range sources {
		if !slices.Contains(kinds, s.Kind) {
			continue
		}
		for _, p := range s.Programs {
			k := keyOf(p)
			m, known := t.At(path.Join(p.Module, p.Package))
			if s.Kind == finding.Ko || s.Kind == finding.GoReleaser || !known || m.Left == "" {
				chosen[k] = true
			} else {
				doubtful[k] = true
				reasons[k] = m.Left + ", though " + p.From.String() + " builds it"
			}
			for _, f := range p.Programs {
				further[folderKey(t, p.Module, f.Value)] = true
			}
		}
	}
	if len(chosen) == 0 {
		chosen = doubtful
	}
	return withoutFurther(sources, kinds, chosen, further)
}

// withoutFurther removes programs that are in the image of another one, and that only a file
// about binaries names.
func withoutFurther(sources []finding.Source, kinds []finding.Kind, chosen,
	further map[key]bool) map[key]bool {
	for _, s := range sources {
		if !slices.Contains(kinds, s.Kind) || s.Kind == finding.GoReleaser {
			continue
		}
		for _, p := range s.Programs {
			delete(further, keyOf(p))
		}
	}
	for k := range further {
		if len(chosen) > 1 {
			delete(chosen, k)
		}
	}
	return chosen
}

// also gives the reasons for programs that only weaker files build.
func also(t *mains.Tree, sources []finding.Source, kinds []finding.Kind, chosen map[key]bool,
	reasons map[key]string) {
	var ships []string
	for _, s := range sources {
		if !slices.Contains(kinds, s.Kind) && len(s.Programs) > 0 && !slices.Contains(ships, s.File) {
			ships = append(ships, s.File)
		}
	}
	for _, s := range sources {
		if !slices.Contains(kinds, s.Kind) {
			continue
		}
		for _, p := range s.Programs {
			k := keyOf(p)
			if _, ok := reasons[k]; ok || chosen[k] {
				continue
			}
			if m, ok := t.At(path.Join(p.Module, p.Package)); ok && m.Left != "" {
				continue
			}
			reasons[k] = "only " + p.From.String() + " builds it, and " + strings.Join(ships, ", ") +
				" says what is shipped"
		}
	}
}
