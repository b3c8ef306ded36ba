package sbom

import (
	"fmt"

	"github.com/thimble-build/thimble/build/plan"
)

// addProgram adds the modules linked into a program other than the one that the image runs. A module
// that already exists in the same version is the same item; another version is a second item. It
// returns the keys of the modules that the program's modules import.
func (inv *inventory) addProgram(p Program, of *plan.Plan) (imported map[string]bool, err error) {
	items := map[string]*item{} // by import path
	for _, m := range append([]Module{p.Std}, p.Modules...) {
		if items[m.Path] != nil {
			return nil, fmt.Errorf("module %s is in program %s twice", m.Path, p.Path)
		}
		it, err := moduleItem(m)
		if err != nil {
			return nil, err
		}
		if p.Own && m.Path == p.Path {
			it.setSource(of)
		} else if m.inFolder() {
			it.supplier = inv.author
		}
		items[m.Path] = inv.share(it, p.Own)
	}
	imported = map[string]bool{}
	for _, m := range p.Modules {
		it := items[m.Path]
		for _, imp := range m.Imports {
			on := items[imp]
			if on == nil {
				return nil, fmt.Errorf("module %s of program %s imports %s, which is not linked",
					m.Path, p.Path, imp)
			}
			if on != it {
				it.dependsOn = append(it.dependsOn, on.key)
				imported[on.key] = true
			}
		}
	}
	it := items[p.Path]
	if it == nil {
		return nil, fmt.Errorf("program %s is not among its modules", p.Path)
	}
	if b := p.Binary; b != nil {
		it.files = append(it.files, b.file())
	}
	return imported, nil
}

// share returns the existing module that equals it, or adds it. Programs of one workspace link the
// same source of a module, although only the main module of each has a version.
func (inv *inventory) share(it *item, workspace bool) *item {
	for _, old := range inv.items {
		folder := workspace && (old.version == "(devel)" || it.version == "(devel)")
		if old.name == it.name && (old.version == it.version || folder) {
			return old
		}
	}
	for _, old := range inv.items {
		if old.key == it.key {
			it.key += "@" + it.version
		}
	}
	inv.items = append(inv.items, it)
	return it
}

// builtFrom returns the key of the module that the image's binary is built from.
func builtFrom(in Input) string {
	if in.Main.Path != "" || len(in.Programs) == 0 {
		return moduleKey(in.Main)
	}
	return moduleKey(Module{Path: in.Programs[0].Path})
}
