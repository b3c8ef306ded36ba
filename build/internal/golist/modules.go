package golist

import (
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Module is a module with packages that one main package links.
type Module struct {
	// Path and Version as required; Version is empty for a module of the working tree.
	Path, Version string
	// Sum is the hash in go.sum of what is linked, "h1:…". It is empty for modules of the
	// working tree and vendored modules, which have none.
	Sum string
	// Replacement and ReplacementVersion are the module that is linked instead, if Sum is its.
	Replacement, ReplacementVersion string
	// Dir is the folder of the linked files, of the replacement if there is one.
	Dir string
	// Packages are the folders of the linked packages relative to Dir, with slashes, sorted.
	Packages []string
	// Folders are the folders of the files that are compiled or embedded, in the same form. They are
	// nil if the compiler may read files of others: those that C or assembly code includes.
	Folders []string
	// Imports are the modules that these packages import, sorted; "std" is the standard
	// library.
	Imports []string
}

// Modules returns the modules that a main package links, including the main module, sorted by
// path.
func (s *Sources) Modules(main Main) []Module {
	return s.of(main).modules(main.Package)
}

// Union returns the modules of several programs that are compiled from one list of modules, with
// the packages and imports of all of them, sorted by path.
func Union(programs ...[]Module) []Module {
	byPath := map[string]*Module{}
	for _, m := range slices.Concat(programs...) {
		one := byPath[m.Path]
		if one == nil {
			byPath[m.Path] = &m
			continue
		}
		one.Packages = slices.Concat(one.Packages, m.Packages)
		one.Folders = UnionFolders(one.Folders, m.Folders)
		one.Imports = slices.Concat(one.Imports, m.Imports)
	}
	var all []Module
	for _, name := range slices.Sorted(maps.Keys(byPath)) {
		m := *byPath[name]
		m.Packages = slices.Compact(slices.Sorted(slices.Values(m.Packages)))
		m.Imports = slices.Compact(slices.Sorted(slices.Values(m.Imports)))
		all = append(all, m)
	}
	return all
}

// UnionFolders returns the Folders of two lists of a module.
func UnionFolders(a, b []string) []string {
	if a == nil || b == nil {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

func (s packages) modules(main string) []Module {
	byPath := map[string]*Module{}
	includes := map[string]bool{} // by path of the module
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		p := s[name]
		if p == nil || seen[name] {
			return
		}
		seen[name] = true
		if p.Standard {
			return // the imports of the standard library do not matter
		}
		m := &Module{} // for a package without a module, which cannot be described
		if p.Module != nil {
			if m = byPath[p.Module.Path]; m == nil {
				m = newModule(p)
				byPath[m.Path] = m
			}
			if rel, err := filepath.Rel(m.Dir, p.Dir); err == nil {
				rel = filepath.ToSlash(rel)
				m.Packages, m.Folders = append(m.Packages, rel), append(m.Folders, rel)
				for _, file := range p.EmbedFiles {
					m.Folders = append(m.Folders, path.Join(rel, path.Dir(file)))
				}
			}
			includes[m.Path] = includes[m.Path] || p.includes()
		}
		for _, imp := range p.Imports {
			if mapped, ok := p.ImportMap[imp]; ok {
				imp = mapped
			}
			visit(imp)
			if dep := s.moduleOf(imp); dep != "" && dep != m.Path {
				m.Imports = append(m.Imports, dep)
			}
		}
	}
	visit(main)
	modules := make([]Module, 0, len(byPath))
	for _, m := range byPath {
		slices.Sort(m.Packages)
		m.Folders = slices.Compact(slices.Sorted(slices.Values(m.Folders)))
		if includes[m.Path] {
			m.Folders = nil
		}
		slices.Sort(m.Imports)
		m.Imports = slices.Compact(m.Imports)
		modules = append(modules, *m)
	}
	slices.SortFunc(modules, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	return modules
}

func newModule(p *listed) *Module {
	m := &Module{Path: p.Module.Path, Version: p.Module.Version, Sum: p.Module.Sum, Dir: p.Module.Dir}
	if r := p.Module.Replace; r != nil {
		m.Sum, m.Replacement, m.ReplacementVersion = r.Sum, r.Path, r.Version
	}
	if m.Dir == "" { // vendored: the packages are below their import path
		m.Dir = strings.TrimSuffix(p.Dir, filepath.FromSlash(strings.TrimPrefix(p.ImportPath, p.Module.Path)))
	}
	return m
}

// moduleOf returns the module of a package; "std" for the standard library.
func (s packages) moduleOf(name string) string {
	p := s[name]
	switch {
	case p == nil || p.Standard:
		return "std"
	case p.Module == nil:
		return ""
	}
	return p.Module.Path
}
