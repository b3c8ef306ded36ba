package sbom

import (
	"strconv"

	"github.com/thimble-build/thimble/build/internal/origin"
	"github.com/thimble-build/thimble/build/internal/purl"
	"github.com/thimble-build/thimble/build/plan"
)

// Linked returns the module whose code is in the binary: of a replaced module, the replacement. A
// folder that replaces a module has no name, version or sum, so it keeps the original name.
func (m Module) Linked() Module {
	if m.Replace == nil {
		return m
	}
	linked := *m.Replace
	linked.Imports, linked.License = m.Imports, m.License
	if m.inFolder() {
		linked.Path, linked.Version, linked.Sum = m.Path, "(devel)", ""
	}
	return linked
}

// inFolder says whether a folder replaces the module; folders have no version.
func (m Module) inFolder() bool {
	return m.Replace != nil && (m.Replace.Version == "" || m.Replace.Version == "(devel)")
}

func moduleKey(m Module) string {
	if m.Path == "std" {
		return stdKey
	}
	return "module:" + m.Path
}

// moduleItem describes the linked module; of a replaced module it also records the original.
func moduleItem(m Module) (*item, error) {
	linked := m.Linked()
	it := &item{
		key: moduleKey(m), purpose: library,
		name: linked.Path, version: linked.Version,
		supplier:  origin.Supplier(linked.Path),
		concluded: m.License.Expression, declared: m.License.Declared, copyrights: m.License.Copyrights,
		source: origin.ModuleSource(linked.Path, linked.Version),
	}
	it.location = it.source.Location()
	if m.Path == "std" {
		it.description = "The Go standard library and runtime"
	}
	var err error
	if it.purl, err = purl.Module(linked.Path, linked.Version); err != nil {
		return nil, err
	}
	if linked.Sum != "" {
		it.facts = append(it.facts, fact{"thimble:module:h1", linked.Sum})
	}
	if m.Replace != nil {
		it.replaces = &item{name: m.Path, version: m.Version, supplier: origin.Supplier(m.Path)}
		if it.replaces.purl, err = purl.Module(m.Path, m.Version); err != nil {
			return nil, err
		}
		it.facts = append(it.facts, fact{"thimble:module:replaces", m.Path + "@" + m.Version})
		if m.inFolder() {
			it.facts = append(it.facts, fact{"thimble:module:source", "folder"})
		}
	}
	return it, nil
}

// setSource adds to the main module's item what only the plan says: the commit and its repository,
// which also names a supplier if the module's path does not.
func (it *item) setSource(p *plan.Plan) {
	it.facts = append(it.facts, revisionFacts(p)...)
	if it.supplier == (origin.Party{}) {
		it.supplier = origin.Owner(p.Source)
	}
	if p.Source == "" || p.Revision == "" {
		return
	}
	it.source = origin.GitSource(p.Source, p.Revision)
	it.location = it.source.Location()
	if p.Dirty {
		it.location = "" // that source differs from the built one
	}
}

func revisionFacts(p *plan.Plan) []fact {
	facts := []fact{{"thimble:dirty", strconv.FormatBool(p.Dirty)}}
	if p.Revision != "" {
		facts = append(facts, fact{"thimble:revision", p.Revision})
	}
	return facts
}
