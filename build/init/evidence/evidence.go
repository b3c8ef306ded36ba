// Package evidence reads the files of a repository that say what it ships, and returns the
// images with their settings, and what became of each line.
package evidence

import (
	"cmp"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/kofile"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/makefile"
	"github.com/thimble-build/thimble/build/init/promu"
	"github.com/thimble-build/thimble/build/init/stamp"
)

// Found is what a repository says.
type Found struct {
	// Module is the folder of the module that the images are from.
	Module string
	// Images are the programs that become images, with all that was found about them.
	Images []finding.Program
	// Default says that thimble finds the same images without a list.
	Default bool
	// Left are the other main packages.
	Left []Left
	// Elsewhere are the folders of other modules that ship programs.
	Elsewhere     []string
	Lines         []finding.Line
	Disagreements []finding.Disagreement
}

// Left is a main package that becomes no image.
type Left struct {
	Module  string `json:"module,omitempty"`
	Package string `json:"package"`
	Reason  string `json:"reason"`
}

// Read reads a repository. module is the folder of the module that gets images.
func Read(root string, names []string, tree *mains.Tree, module string) (*Found, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	names = slices.DeleteFunc(names, func(n string) bool { return n == "magefiles" || strings.HasPrefix(n, "magefiles/") })
	files := finding.Files{FS: os.DirFS(root), Names: names}
	sources, err := read(files, tree)
	if err != nil {
		return nil, err
	}
	f := &Found{}
	sources = f.oneDockerfile(sources)
	for _, s := range sources {
		f.Lines = append(f.Lines, s.Lines...)
	}
	slices.SortStableFunc(f.Lines, func(a, b finding.Line) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	programs, disagreements := finding.Merge(sources)
	f.Module = shippingModule(shippers(sources), module)
	f.choose(programs, shippers(sources), tree, f.Module)
	for _, d := range disagreements {
		if slices.ContainsFunc(f.Images, func(p finding.Program) bool { return p.Module == d.Module && p.Package == d.Package }) {
			f.Disagreements = append(f.Disagreements, d)
		}
	}
	return f, nil
}

// read reads each file that says what is shipped.
func read(files finding.Files, tree *mains.Tree) ([]finding.Source, error) {
	var all []finding.Main
	for _, m := range tree.Mains {
		mod, _ := tree.Module(m.Module)
		all = append(all, finding.Main{Module: m.Module, Package: m.Package, ModulePath: mod.Path, Binary: m.Name})
	}
	dockerfiles, err := dockerfile.Find(files)
	if err != nil {
		return nil, err
	}
	text := func(name string) (string, bool) {
		b, err := files.Read(name)
		return string(b), err == nil
	}
	var sources []finding.Source
	for _, name := range dockerfiles {
		b, _ := text(name)
		s, err := dockerfile.Read(name, []byte(b), files, all)
		if err != nil {
			s = finding.Source{Kind: finding.Dockerfile, File: name, Lines: []finding.Line{{
				Place: finding.Place{File: name}, Text: name, Outcome: finding.ByHand, Reason: err.Error(),
			}}}
		}
		sources = append(sources, s)
	}
	for _, name := range files.Names {
		if slices.ContainsFunc(strings.Split(path.Dir(name), "/"), func(d string) bool {
			return slices.Contains([]string{"vendor", "testdata", "node_modules", "magefiles", "third_party", "examples", "example"}, d)
		}) {
			continue
		}
		base := path.Base(name)
		switch {
		case slices.Contains(kofile.Names, base):
			if b, ok := text(name); ok {
				sources = append(sources, kofile.Read(name, b, nil, tree).Source)
			}
		case slices.Contains(promu.Names, base):
			if b, ok := text(name); ok {
				sources = append(sources, promu.Read(name, b, tree))
			}
		case slices.Contains(makefile.Names, base):
			o := makefile.Options{Read: text}
			mod, _ := tree.Module("")
			o.Repository = stamp.Repository{Module: mod.Path, Read: text}
			if m, ok := makefile.Parse(name, o); ok {
				sources = append(sources, m.Source(tree))
			}
		}
	}
	return sources, nil
}

// oneDockerfile keeps for each program the first Dockerfile that ships it.
func (f *Found) oneDockerfile(sources []finding.Source) []finding.Source {
	type key struct{ module, pkg string }
	first := map[key]finding.Source{}
	var kept []finding.Source
	for _, s := range sources {
		if s.Kind != finding.Dockerfile || len(s.Programs) == 0 {
			kept = append(kept, s)
			continue
		}
		var own []finding.Program
		other := ""
		for _, p := range s.Programs {
			k := key{p.Module, p.Package}
			if earlier, ok := first[k]; ok {
				other = earlier.File
				f.disagree(earlier, s, p)
				continue
			}
			first[k] = s
			own = append(own, p)
		}
		if s.Programs = own; len(own) == 0 {
			s.Lines = slices.Clone(s.Lines)
			for i := range s.Lines {
				l := &s.Lines[i]
				l.Outcome, l.Reason, l.Write, l.Setting = finding.NotNeeded, other+" is the one that init reads for this program", "", ""
			}
		}
		kept = append(kept, s)
	}
	return kept
}

// disagree notes what another Dockerfile of a program says about how it runs.
func (f *Found) disagree(earlier, later finding.Source, p finding.Program) {
	for _, e := range earlier.Programs {
		if e.Module != p.Module || e.Package != p.Package {
			continue
		}
		_, all := finding.Merge([]finding.Source{{Kind: finding.Dockerfile, Programs: []finding.Program{e}}, {Kind: finding.Dockerfile, Programs: []finding.Program{p}}})
		for _, d := range all {
			if slices.Contains([]string{"Runtime.User", "Runtime.Args", "Runtime.WorkingDir", "Runtime.Ports", "Runtime.Healthcheck", "Cgo"}, d.Setting) {
				f.Disagreements = append(f.Disagreements, d)
			}
		}
	}
}

// shippers returns the sources that say what is shipped: files about images and releases, else
// those that build. nil means that no file says it.
func shippers(sources []finding.Source) []finding.Source {
	for _, kinds := range [][]finding.Kind{{finding.Ko, finding.GoReleaser, finding.Promu, finding.Dockerfile}, {finding.Makefile, finding.Taskfile}} {
		var found []finding.Source
		for _, s := range sources {
			if slices.Contains(kinds, s.Kind) && len(s.Programs) > 0 {
				found = append(found, s)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// shippingModule returns the module whose programs are shipped: the given one, unless only others
// below it ship something.
func shippingModule(shipping []finding.Source, module string) string {
	other := module
	for _, s := range shipping {
		for _, p := range s.Programs {
			switch {
			case p.Module == module:
				return module
			case other == module && (module == "" || strings.HasPrefix(p.Module, module+"/")):
				other = p.Module
			}
		}
	}
	return other
}

// choose decides which main packages become images.
func (f *Found) choose(programs []finding.Program, shipping []finding.Source, tree *mains.Tree, module string) {
	same := func(p finding.Program, m mains.Main) bool { return p.Module == m.Module && p.Package == m.Package }
	ships := func(m mains.Main) bool {
		return slices.ContainsFunc(shipping, func(s finding.Source) bool {
			return slices.ContainsFunc(s.Programs, func(p finding.Program) bool {
				return same(p, m) && (m.Left == "" || s.Kind != finding.Makefile && s.Kind != finding.Taskfile)
			})
		})
	}
	chosen := func(which func(m mains.Main) bool) (all []mains.Main) {
		for _, m := range tree.Mains {
			if m.Module == module && which(m) {
				all = append(all, m)
			}
		}
		return all
	}
	usual := chosen(func(m mains.Main) bool { return m.Usual && m.Left == "" })
	images := chosen(ships)
	for _, which := range []func(mains.Main) bool{
		func(m mains.Main) bool { return m.Usual && m.Left == "" }, func(m mains.Main) bool { return m.Left == "" }, func(mains.Main) bool { return true },
	} {
		if len(images) == 0 {
			images = chosen(which)
		}
	}
	inside := map[string]string{} // folders of programs in the image of another one
	for _, p := range programs {
		for _, other := range p.Programs {
			if p.Module == module {
				inside[path.Join(p.Module, other.Value)] = p.Package
			}
		}
	}
	for _, m := range images {
		if in, ok := inside[m.Dir()]; ok && in != m.Package && len(images) > 1 && !shipsAlone(shipping, m) {
			f.Left = append(f.Left, Left{m.Module, m.Package, "it is in the image of " + in})
			continue
		}
		image := finding.Program{Module: m.Module, Package: m.Package}
		for _, p := range programs {
			if same(p, m) {
				image = p
			}
		}
		f.Images = append(f.Images, image)
	}
	for _, m := range tree.Mains {
		switch {
		case m.Module != module:
			if m.Left == "" && m.Usual && !slices.Contains(f.Elsewhere, m.Module) {
				f.Elsewhere = append(f.Elsewhere, m.Module)
			}
		case slices.ContainsFunc(images, func(o mains.Main) bool { return o == m }):
		case inside[m.Dir()] != "":
			f.Left = append(f.Left, Left{m.Module, m.Package, "it is in the image of " + inside[m.Dir()]})
		case m.Left != "":
			f.Left = append(f.Left, Left{m.Module, m.Package, m.Left})
		case len(shipping) > 0:
			f.Left = append(f.Left, Left{m.Module, m.Package, shipping[0].File + " does not ship it"})
		default:
			f.Left = append(f.Left, Left{m.Module, m.Package, "it is not under cmd/ and not at the root"})
		}
	}
	f.Default = slices.Equal(usual, images) && len(f.Images) == len(images)
	names(f.Images, tree)
}

// shipsAlone reports whether a Dockerfile or .ko.yaml makes an image of a program.
func shipsAlone(shipping []finding.Source, m mains.Main) bool {
	return slices.ContainsFunc(shipping, func(s finding.Source) bool {
		return (s.Kind == finding.Dockerfile || s.Kind == finding.Ko) && slices.ContainsFunc(s.Programs, func(p finding.Program) bool {
			return p.Module == m.Module && p.Package == m.Package
		})
	})
}

// names gives images of one name different names, by the folder above.
func names(images []finding.Program, tree *mains.Tree) {
	by := map[string][]int{}
	for i, p := range images {
		m, _ := tree.At(path.Join(".", p.Module, p.Package))
		name := strings.ToLower(p.Name.Value)
		if name == "" || name == m.Name {
			images[i].Name = finding.Value[string]{}
			name = m.Name
		} else {
			images[i].Name.Value = name
		}
		by[name] = append(by[name], i)
	}
	for name, same := range by {
		if len(same) < 2 {
			continue
		}
		for _, i := range same {
			folder := strings.TrimSuffix(path.Clean(images[i].Package), "/"+name)
			folder = strings.TrimPrefix(strings.TrimPrefix(folder, "cmd/"), "./")
			if folder == "." || folder == "" {
				continue
			}
			own := strings.ToLower(strings.ReplaceAll(folder, "/", "-") + "-" + name)
			images[i].Name = finding.Found(own, finding.Place{File: path.Join(".", images[i].Module, images[i].Package)})
		}
	}
}
