package sbom

import "fmt"

// addProgram adds the modules linked into a program other than the service. A module that already
// exists in the same version is the same item; another version is a second item. It returns the
// keys of the modules that the program's modules import.
func (inv *inventory) addProgram(p Program) (imported map[string]bool, err error) {
	items := map[string]*item{} // by import path
	for _, m := range append([]Module{p.Std}, p.Modules...) {
		if items[m.Path] != nil {
			return nil, fmt.Errorf("module %s is in program %s twice", m.Path, p.Path)
		}
		it, err := moduleItem(m)
		if err != nil {
			return nil, err
		}
		items[m.Path] = inv.share(it)
	}
	imported = map[string]bool{}
	for _, m := range p.Modules {
		it := items[m.Path]
		for _, imp := range m.Imports {
			on := items[imp]
			if on == nil {
				return nil, fmt.Errorf("module %s of program %s imports %s, which is not linked", m.Path, p.Path, imp)
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

// share returns the existing module that equals it, or adds it.
func (inv *inventory) share(it *item) *item {
	for _, old := range inv.items {
		if old.name == it.name && old.version == it.version {
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
