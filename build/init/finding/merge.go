package finding

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// Disagreement is a setting for which two sources have different values.
type Disagreement struct {
	Module  string `json:"module,omitempty"`
	Package string `json:"package"`
	Setting string `json:"setting"`
	// Choice is the value that was taken, Loser the other one.
	Choice     string `json:"choice"`
	ChoiceFrom Place  `json:"choiceFrom"`
	Loser      string `json:"loser"`
	LoserFrom  Place  `json:"loserFrom"`
}

// The orders of sources. The first source that has a setting decides it.
var (
	buildOrder   = []Kind{Ko, GoReleaser, Promu, Dockerfile, Makefile, Taskfile, Go}
	runtimeOrder = []Kind{Dockerfile, Ko, GoReleaser, Makefile, Taskfile, Promu, Go}
)

// Merge joins the programs of all sources by main package. Sources of one kind are in the
// caller's order. A setting that is one value, or an ordered list, comes from one source. Lists
// whose elements have names (environment, labels, assets by target, users) are joined by name.
// The programs are sorted by module and package.
func Merge(sources []Source) ([]Program, []Disagreement) {
	type key struct{ module, pkg string }
	said := map[key][]claim{}
	for _, s := range sources {
		for _, p := range s.Programs {
			k := key{p.Module, p.Package}
			said[k] = append(said[k], claim{s.Kind, p})
		}
	}
	var all []Program
	var disagreements []Disagreement
	for k, claims := range said {
		m := merger{out: &Program{Module: k.module, Package: k.pkg}}
		m.build(ranked(claims, buildOrder))
		m.runtime(ranked(claims, runtimeOrder))
		all = append(all, *m.out)
		disagreements = append(disagreements, m.disagreements...)
	}
	slices.SortFunc(all, func(a, b Program) int {
		return cmp.Or(strings.Compare(a.Module, b.Module), strings.Compare(a.Package, b.Package))
	})
	slices.SortStableFunc(disagreements, func(a, b Disagreement) int {
		return cmp.Or(strings.Compare(a.Module, b.Module), strings.Compare(a.Package, b.Package))
	})
	return all, disagreements
}

// claim is what one source says about a program.
type claim struct {
	kind    Kind
	program Program
}

func ranked(claims []claim, order []Kind) []Program {
	claims = slices.Clone(claims)
	slices.SortStableFunc(claims, func(a, b claim) int {
		return cmp.Compare(slices.Index(order, a.kind), slices.Index(order, b.kind))
	})
	var all []Program
	for _, c := range claims {
		all = append(all, c.program)
	}
	return all
}

type merger struct {
	out           *Program
	disagreements []Disagreement
}

func (m *merger) build(from []Program) {
	for i := range from {
		from[i].Build.Tags, from[i].Build.TagsWithCgo = splitTags(from[i].Build.Tags)
	}
	for _, p := range from { // a source can have only defaults, without a line for the program
		if m.out.From.File == "" {
			m.out.From = p.From
		}
	}
	one(m, from, "Name", func(p *Program) *Value[string] { return &p.Name })
	joined(m, from, "Programs", whole, func(p *Program) *[]Value[string] { return &p.Programs })
	list(m, from, "LDFlags", func(p *Program) *[]Value[string] { return &p.Build.LDFlags })
	list(m, from, "BuildTags", func(p *Program) *[]Value[string] { return &p.Build.Tags })
	joined(m, from, "BuildTags", whole, func(p *Program) *[]Value[string] { return &p.Build.TagsWithCgo })
	joined(m, from, "Env of the go command", beforeEqual,
		func(p *Program) *[]Value[string] { return &p.Build.Env })
	one(m, from, "Cgo", func(p *Program) *Value[bool] { return &p.Build.Cgo })
	one(m, from, "Compiler", func(p *Program) *Value[bool] { return &p.Build.Compiler })
	if !m.out.Build.Cgo.Set() {
		m.out.Build.Cgo = m.out.Build.Compiler
	}
	list(m, from, "Platforms", func(p *Program) *[]Value[string] { return &p.Build.Platforms })
	one(m, from, "FIPS140", func(p *Program) *Value[string] { return &p.Build.FIPS140 })
	list(m, from, "Before", func(p *Program) *[]Value[[]string] { return &p.Build.Before })
}

// splitTags returns the tags that change a program, and those that change only one with cgo.
func splitTags(tags []Value[string]) (always, withCgo []Value[string]) {
	for _, t := range tags {
		if slices.Contains(WithCgo, t.Value) {
			withCgo = append(withCgo, t)
		} else {
			always = append(always, t)
		}
	}
	return always, withCgo
}

func (m *merger) runtime(from []Program) {
	one(m, from, "Base", func(p *Program) *Value[string] { return &p.Runtime.Base })
	joined(m, from, "Packages", whole, func(p *Program) *[]Value[string] { return &p.Runtime.Packages })
	one(m, from, "Runtime.Entrypoint", func(p *Program) *Value[[]string] { return &p.Runtime.Entrypoint })
	one(m, from, "Runtime.Args", func(p *Program) *Value[[]string] { return &p.Runtime.Args })
	one(m, from, "Runtime.User", func(p *Program) *Value[string] { return &p.Runtime.User })
	joined(m, from, "Runtime.Env", beforeEqual, func(p *Program) *[]Value[string] { return &p.Runtime.Env })
	list(m, from, "Runtime.Ports", func(p *Program) *[]Value[string] { return &p.Runtime.Ports })
	one(m, from, "Runtime.WorkingDir", func(p *Program) *Value[string] { return &p.Runtime.WorkingDir })
	one(m, from, "Runtime.StopSignal", func(p *Program) *Value[string] { return &p.Runtime.StopSignal })
	joined(m, from, "Runtime.Labels", beforeEqual,
		func(p *Program) *[]Value[string] { return &p.Runtime.Labels })
	one(m, from, "Runtime.Healthcheck", func(
		p *Program) *Value[plan.Healthcheck] {
		return &p.Runtime.Healthcheck
	})
	joined(m, from, "Runtime.Volumes", whole, func(p *Program) *[]Value[string] { return &p.Runtime.Volumes })
	joined(m, from, "Assets", func(a plan.Asset) string { return a.Target },
		func(p *Program) *[]Value[plan.Asset] { return &p.Runtime.Assets })
	joined(m, from, "Symlinks", func(l plan.Symlink) string { return l.Path },
		func(p *Program) *[]Value[plan.Symlink] { return &p.Runtime.Symlinks })
	joined(m, from, "Users", func(u plan.User) string { return u.Name },
		func(p *Program) *[]Value[plan.User] { return &p.Runtime.Users })
	joined(m, from, "Capabilities", whole, func(
		p *Program) *[]Value[string] {
		return &p.Runtime.Capabilities
	})
	joined(m, from, "CACertificates", whole, func(
		p *Program) *[]Value[string] {
		return &p.Runtime.CACertificates
	})
	joined(m, from, "Include", whole, func(p *Program) *[]Value[string] { return &p.Runtime.Include })
}

func whole(s string) string { return s }

func beforeEqual(s string) string {
	name, _, _ := strings.Cut(s, "=")
	return name
}

// one takes the first value that is set.
func one[T any](m *merger, from []Program, setting string, get func(*Program) *Value[T]) {
	out := get(m.out)
	for i := range from {
		v := *get(&from[i])
		switch {
		case !v.Set():
		case !out.Set():
			*out = v
		case !reflect.DeepEqual(v.Value, out.Value):
			m.disagree(setting, fmt.Sprint(out.Value), out.From, fmt.Sprint(v.Value), v.From)
		}
	}
}

// list takes the first list that has elements.
func list[T any](m *merger, from []Program, setting string, get func(*Program) *[]Value[T]) {
	out := get(m.out)
	for i := range from {
		v := *get(&from[i])
		switch {
		case len(v) == 0:
		case len(*out) == 0:
			*out = v
		case !reflect.DeepEqual(values(v), values(*out)):
			m.disagree(setting, fmt.Sprint(values(*out)), (*out)[0].From, fmt.Sprint(values(v)), v[0].From)
		}
	}
}

// joined takes the elements of all lists, and for each name the first.
func joined[T any](m *merger, from []Program, setting string, name func(T) string,
	get func(*Program) *[]Value[T]) {
	out := get(m.out)
	for i := range from {
		for _, v := range *get(&from[i]) {
			at := slices.IndexFunc(*out, func(o Value[T]) bool { return name(o.Value) == name(v.Value) })
			switch {
			case at < 0:
				*out = append(*out, v)
			case !reflect.DeepEqual(v.Value, (*out)[at].Value):
				m.disagree(setting, fmt.Sprint((*out)[at].Value), (*out)[at].From,
					fmt.Sprint(v.Value), v.From)
			}
		}
	}
}

func values[T any](list []Value[T]) []T {
	var all []T
	for _, v := range list {
		all = append(all, v.Value)
	}
	return all
}

func (m *merger) disagree(setting, choice string, choiceFrom Place, loser string, loserFrom Place) {
	m.disagreements = append(m.disagreements, Disagreement{
		Module: m.out.Module, Package: m.out.Package, Setting: setting,
		Choice: choice, ChoiceFrom: choiceFrom, Loser: loser, LoserFrom: loserFrom,
	})
}
