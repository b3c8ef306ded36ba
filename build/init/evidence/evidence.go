// Package evidence reads the files of a repository that say what it ships, and returns the
// images with their settings, and what became of each line.
//
// It is where Dockerfiles and the files of package discover come together.
package evidence

import (
	"cmp"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/discover"
	"github.com/thimble-build/thimble/build/init/dockerfile"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/frontend"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/plan"
)

// Found is what a repository says.
type Found struct {
	// Module is the folder of the module that the images are from.
	Module string
	// Several are the folders of modules below Module that ship programs, if it is not clear which
	// one gets the images.
	Several []string
	// Images are the programs that become images, with all that was found about them.
	Images []finding.Program
	// Default says that thimble finds the same images without a list.
	Default bool
	// Left are the other main packages, with the reasons.
	Left []discover.LeftOut
	// Lines are the outcomes of all lines of all files, by file and line.
	Lines         []finding.Line
	Disagreements []finding.Disagreement
}

// Read reads a repository. names are the files that git has or would add. module is the folder of
// the module that gets images, unless only modules below it ship something.
func Read(root string, names []string, tree *mains.Tree, module string) (*Found, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "magefiles/") })
	files := finding.Files{FS: os.DirFS(root), Names: names}
	others := discover.Read(tree, func(name string) (string, bool) {
		if !files.Has(name) {
			return "", false
		}
		b, err := files.Read(name)
		return string(b), err == nil
	})
	builds := others.Sources(tree)
	images, err := dockerfiles(files, tree, builds, others.BuildArgs())
	if err != nil {
		return nil, err
	}
	f := &Found{}
	slices.SortStableFunc(images, func(a, b finding.Source) int {
		return cmp.Compare(doubtful(a),
			doubtful(b))
	})
	choice := discover.Choose(tree, slices.Concat(f.oneDockerfile(images), builds))
	sources := others.WithDefaults(tree, choice.Sources)
	programs, disagreements := finding.Merge(sources)
	programs = discover.Finish(tree, programs)
	f.Module, f.Several = shippingModule(programs, sources, module)
	for _, p := range programs {
		if p.Module == f.Module {
			if !p.Runtime.Base.Set() && p.Build.Cgo.Value {
				p.Runtime.Base = finding.Found(plan.BaseBase, p.Build.Cgo.From) // it needs a C library
			}
			if len(p.Build.Before) == 0 {
				p.Build.Before = missing(files, tree, images, others, p.Module)
			}
			f.Images = append(f.Images, p)
		} else {
			f.Left = append(f.Left, discover.LeftOut{Module: p.Module, Package: p.Package,
				Reason: "it is in another module; run init in " + path.Join(".", p.Module)})
		}
	}
	f.Left = append(f.Left, choice.Left...)
	for _, s := range sources {
		f.Lines = append(f.Lines, discover.Settle(s.Lines, programs)...)
	}
	for _, p := range f.Images {
		for _, b := range p.Build.Before {
			for i, l := range f.Lines {
				if l.Place == b.From && l.Outcome == finding.NotNeeded && runs(b.Value, l.Text) {
					f.Lines[i].Outcome, f.Lines[i].Reason = finding.Imported, "Before"
				}
			}
		}
	}
	for i, l := range f.Lines {
		f.Lines[i].Text, f.Lines[i].Reason, f.Lines[i].Write = stamp.Show(l.Text), stamp.Show(l.Reason),
			stamp.Show(l.Write)
	}
	f.Lines = once(f.Lines)
	slices.SortStableFunc(f.Lines, func(a, b finding.Line) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	for _, d := range disagreements {
		if d.Module == f.Module {
			f.Disagreements = append(f.Disagreements, d)
		}
	}
	f.Default = f.isDefault(tree)
	f.simplify(tree)
	return f, nil
}

// runs reports whether a command of Before is the one in the text of a line.
func runs(command []string, text string) bool {
	text = strings.Join(strings.Fields(strings.TrimPrefix(text, "RUN ")), " ")
	return strings.Contains(text, command[len(command)-1]) ||
		strings.HasSuffix(strings.Join(command, " "), text)
}

// once returns the lines without those that say the same text at the same place again: because it
// is read for several programs, or for each platform. An imported line says more than one that is
// not needed.
func once(lines []finding.Line) []finding.Line {
	type text struct {
		finding.Place
		text string
	}
	best := map[text]finding.Outcome{}
	for _, l := range lines {
		k := text{l.Place, l.Text}
		if o, ok := best[k]; !ok || o == finding.NotNeeded && l.Outcome == finding.Imported {
			if l.Outcome != finding.ByHand {
				best[k] = l.Outcome
			}
		}
	}
	var all []finding.Line
	seen := map[text]bool{}
	for _, l := range lines {
		k := text{l.Place, l.Text}
		if l.Outcome == finding.ByHand && !slices.Contains(all, l) ||
			l.Outcome == best[k] && !seen[k] {
			seen[k] = seen[k] || l.Outcome != finding.ByHand
			all = append(all, l)
		}
	}
	return all
}

// Based reports whether an image has a base that a lock file has to pin.
func (f *Found) Based() bool {
	return slices.ContainsFunc(f.Images, func(p finding.Program) bool {
		return p.Runtime.Base.Set() && p.Runtime.Base.Value != plan.BaseScratch
	})
}

// dockerfiles reads each Dockerfile. Programs that it copies can have the names that another file
// builds them with.
func dockerfiles(files finding.Files, tree *mains.Tree, builds []finding.Source,
	args map[string]string) ([]finding.Source, error) {
	var all []finding.Main
	for _, m := range tree.Mains {
		mod, _ := tree.Module(m.Module)
		all = append(all, finding.Main{Module: m.Module, Package: m.Package,
			ModulePath: mod.Path, Binary: m.Name})
	}
	for _, s := range builds {
		for _, p := range s.Programs {
			if m, ok := tree.At(path.Join(p.Module, p.Package)); ok && p.Name.Set() &&
				p.Name.Value != m.Name {
				mod, _ := tree.Module(m.Module)
				all = append(all, finding.Main{Module: m.Module, Package: m.Package, ModulePath: mod.Path,
					Binary: p.Name.Value})
			}
		}
	}
	var sources []finding.Source
	for _, name := range dockerfile.Find(files) {
		text, err := files.Read(name)
		if err != nil {
			return nil, err
		}
		s, err := dockerfile.Read(name, text, files, all, args)
		if err != nil {
			s = finding.Source{Kind: finding.Dockerfile, File: name, Lines: []finding.Line{{
				Place: finding.Place{File: name}, Text: name, Outcome: finding.ByHand,
				Reason: strings.TrimPrefix(err.Error(), "read "+name+": "),
			}}}
		}
		sources = append(sources, s)
	}
	return sources, nil
}

// doubtful returns 1 for a Dockerfile that may make no image of a program, 0 otherwise.
func doubtful(s finding.Source) int {
	if slices.ContainsFunc(s.Programs, func(p finding.Program) bool { return p.Doubt == "" }) {
		return 0
	}
	return 1
}

// oneDockerfile keeps for each program the first Dockerfile that ships it.
func (f *Found) oneDockerfile(sources []finding.Source) []finding.Source {
	type key struct{ module, pkg string }
	first := map[key]finding.Source{}
	var kept []finding.Source
	for _, s := range sources {
		if len(s.Programs) == 0 {
			kept = append(kept, s)
			continue
		}
		var own []finding.Program
		other := ""
		for _, p := range s.Programs {
			k := key{p.Module, p.Package}
			if earlier, ok := first[k]; ok {
				other = earlier.File
				f.disagree(earlier, p)
				continue
			}
			first[k] = s
			own = append(own, p)
		}
		if s.Programs = own; len(own) == 0 {
			s.Lines = slices.Clone(s.Lines)
			for i := range s.Lines {
				l := &s.Lines[i]
				l.Outcome, l.Reason, l.Write, l.Setting = finding.NotNeeded,
					other+" is the one that init reads for this program", "", ""
			}
		}
		kept = append(kept, s)
	}
	return kept
}

// disagree notes what another Dockerfile of a program says about how it runs.
func (f *Found) disagree(earlier finding.Source, p finding.Program) {
	for _, e := range earlier.Programs {
		if e.Module != p.Module || e.Package != p.Package {
			continue
		}
		_, all := finding.Merge([]finding.Source{{Kind: finding.Dockerfile, Programs: []finding.Program{e}},
			{Kind: finding.Dockerfile, Programs: []finding.Program{p}}})
		for _, d := range all {
			if slices.Contains([]string{"Runtime.User", "Runtime.Args", "Runtime.WorkingDir", "Runtime.Ports",
				"Runtime.Healthcheck", "Cgo"}, d.Setting) {
				f.Disagreements = append(f.Disagreements, d)
			}
		}
	}
}

// shippingModule returns the module whose programs are shipped: the given one, unless only others
// below it ship something; then the only one for which a Dockerfile or .ko.yaml makes an image, or
// the only one of all. If there are several, it returns the given one, and their folders.
func shippingModule(programs []finding.Program, sources []finding.Source,
	module string) (chosen string, several []string) {
	imaged := map[string]bool{}
	for _, s := range sources {
		if s.Kind == finding.Dockerfile || s.Kind == finding.Ko {
			for _, p := range s.Programs {
				imaged[p.Module] = true
			}
		}
	}
	var all, withImage []string
	for _, p := range programs {
		if p.Module == module {
			return module, nil
		}
		if module != "" && !strings.HasPrefix(p.Module, module+"/") || slices.Contains(all, p.Module) {
			continue
		}
		all = append(all, p.Module)
		if imaged[p.Module] {
			withImage = append(withImage, p.Module)
		}
	}
	if len(withImage) > 0 {
		all = withImage
	}
	switch len(all) {
	case 0:
		return module, nil
	case 1:
		return all[0], nil
	}
	return module, all
}

// missing returns the commands that make what a program embeds and git does not have.
func missing(files finding.Files, tree *mains.Tree, images []finding.Source, others discover.Files,
	module string) []finding.Value[[]string] {
	var all []finding.Value[[]string]
	skip := func(folder string) bool {
		m, ok := tree.At(folder)
		return ok && m.Left != ""
	}
	var prepared []finding.Prepared
	for _, s := range images {
		prepared = append(prepared, s.Prepared...)
	}
	for _, e := range frontend.Missing(files, module, skip) {
		for _, b := range frontend.Before(e, module, prepared, others.Makefiles, files) {
			if !slices.ContainsFunc(all, func(o finding.Value[[]string]) bool {
				return slices.Equal(o.Value,
					b.Value)
			}) {
				all = append(all, b)
			}
		}
	}
	return all
}

// isDefault reports whether thimble finds the same images without a list.
func (f *Found) isDefault(tree *mains.Tree) bool {
	var usual, images []string
	for _, m := range tree.Mains {
		if m.Module == f.Module && m.Usual {
			usual = append(usual, m.Package)
		}
	}
	for _, p := range f.Images {
		images = append(images, p.Package)
	}
	return slices.Equal(usual, images)
}

// simplify removes names that thimble gives by itself.
func (f *Found) simplify(tree *mains.Tree) {
	for i, p := range f.Images {
		m, _ := tree.At(path.Join(".", p.Module, p.Package))
		if name := strings.ToLower(p.Name.Value); name == m.Name {
			f.Images[i].Name = finding.Value[string]{}
		} else if p.Name.Set() {
			f.Images[i].Name.Value = name
			f.rename(i, "/app/"+m.Name, "/app/"+name)
		}
		name := cmp.Or(f.Images[i].Name.Value, m.Name)
		if at, ok := folderAt(p.Runtime, "/app/"+name); ok {
			f.Images[i].Name = finding.Found(name+"-server", at)
			f.rename(i, "/app/"+name, "/app/"+name+"-server")
		}
	}
}

// folderAt reports whether an image needs a folder at the path of its program, and the line that
// does. WORKDIR /app/shop with the program in it is the usual case.
func folderAt(r finding.Runtime, program string) (at finding.Place, ok bool) {
	needs := func(p string, from finding.Place) {
		if !ok && (p == program || strings.HasPrefix(p, program+"/")) {
			at, ok = from, true
		}
	}
	needs(r.WorkingDir.Value, r.WorkingDir.From)
	for _, a := range r.Assets {
		needs(a.Value.Target, a.From)
	}
	for _, v := range r.Volumes {
		needs(v.Value, v.From)
	}
	for _, l := range r.Symlinks {
		needs(l.Value.Path, l.From)
	}
	return at, ok
}

// rename corrects the path of an image's program, which the readers of files derive from the name
// of its package.
func (f *Found) rename(image int, from, to string) {
	p := f.Images[image]
	if h := &f.Images[image].Runtime.Healthcheck.Value; len(h.Command) > 0 && h.Command[0] == from {
		h.Command = append([]string{to}, h.Command[1:]...)
	}
	word := func(text string) string {
		if strings.HasSuffix(text, from) {
			return strings.TrimSuffix(text, from) + to
		}
		for _, after := range []string{" ", ";", ":", "\""} {
			text = strings.ReplaceAll(text, from+after, to+after)
		}
		return text
	}
	for i, l := range f.Lines {
		if l.Module == p.Module && l.Package == p.Package {
			f.Lines[i].Reason, f.Lines[i].Write = word(l.Reason), word(l.Write)
		}
	}
}
