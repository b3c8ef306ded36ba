package sbom

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/origin"
	"github.com/thimble-build/thimble/build/plan"
)

// kitPath is the kit's repository; identifiers begin with it.
const kitPath = "github.com/thimble-build/thimble"

// inventory is the content of both SBOM formats, independent of either.
type inventory struct {
	created     string // RFC 3339
	kit         plan.Kit
	author      origin.Party // the supplier of the service
	application *item
	items       []*item // all other components, sorted by kind and name
}

func newInventory(in Input) (*inventory, error) {
	inv := &inventory{
		created: in.Plan.Created().Format("2006-01-02T15:04:05Z"),
		kit:     in.Plan.Kit,
	}
	imported, err := inv.addModules(in)
	if err != nil {
		return nil, err
	}
	for _, p := range in.Programs {
		reached, err := inv.addProgram(p, in.Plan)
		if err != nil {
			return nil, err
		}
		maps.Copy(imported, reached)
	}
	for _, c := range in.Components {
		inv.items = append(inv.items, componentItem(c))
	}
	// The application depends on the main module, on the required files, and on everything else
	// that is linked without an import.
	app, err := applicationItem(in, inv.author)
	if err != nil {
		return nil, err
	}
	for _, it := range inv.items {
		if !imported[it.key] {
			app.dependsOn = append(app.dependsOn, it.key)
		}
		slices.Sort(it.dependsOn)
		it.dependsOn = slices.Compact(it.dependsOn)
	}
	slices.Sort(app.dependsOn)
	inv.application = app
	slices.SortFunc(inv.items, func(a, b *item) int {
		return cmp.Or(cmp.Compare(a.purpose, b.purpose), strings.Compare(a.key, b.key))
	})
	return inv, inv.unique()
}

// addModules adds the modules of the service's binary, and sets the author to the supplier of the
// main module. It returns the keys of the modules that others import.
func (inv *inventory) addModules(in Input) (imported map[string]bool, err error) {
	imported = map[string]bool{}
	if in.Main.Path == "" {
		inv.author = origin.Owner(in.Plan.Source)
		return imported, nil
	}
	modules := append([]Module{in.Std, in.Main}, in.Modules...)
	keys := map[string]string{} // by import path
	for _, m := range modules {
		if _, ok := keys[m.Path]; ok {
			return nil, fmt.Errorf("module:%s appears twice", m.Path)
		}
		keys[m.Path] = moduleKey(m)
	}
	for _, m := range modules {
		it, err := moduleItem(m)
		if err != nil {
			return nil, err
		}
		switch {
		case m.Path == in.Main.Path:
			it.setSource(in.Plan)
			inv.author = it.supplier
		case m.inFolder():
			it.supplier = inv.author // who keeps a copy may have changed it
		}
		for _, imp := range m.Imports {
			key, ok := keys[imp]
			if !ok {
				return nil, fmt.Errorf("module %s imports %s, which is not linked", m.Path, imp)
			}
			if imp != m.Path {
				it.dependsOn = append(it.dependsOn, key)
				imported[key] = true
			}
		}
		inv.items = append(inv.items, it)
	}
	return imported, nil
}

// Components returns the number of components in the documents of an input, without the
// application.
func Components(in Input) (int, error) {
	inv, err := newInventory(in)
	if err != nil {
		return 0, fmt.Errorf("count the components: %w", err)
	}
	return len(inv.items), nil
}

// unique returns an error if a name occurs twice: identifiers are derived from names.
func (inv *inventory) unique() error {
	seen := map[string]bool{}
	for _, it := range append([]*item{inv.application}, inv.items...) {
		keys := []string{it.key}
		for _, f := range it.files {
			keys = append(keys, f.key())
		}
		for _, key := range keys {
			if seen[key] {
				return fmt.Errorf("%s appears twice", key)
			}
			seen[key] = true
		}
	}
	return nil
}
