// Package kofile reads .ko.yaml.
package kofile

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/gobuild"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/init/yamltree"
	"github.com/thimble-build/thimble/build/internal/ldflags"
	"github.com/thimble-build/thimble/build/plan"
)

// Names are the names of the file.
var Names = []string{".ko.yaml", ".ko.yml"}

// File is what a .ko.yaml says.
type File struct {
	// Source has a program for each build.
	Source finding.Source
	// overrides are base images by import path.
	overrides   map[string]yamltree.Text
	defaults    defaults
	environment map[string]string
	tree        *mains.Tree
}

// defaults are the settings for programs that no build names.
type defaults struct {
	env, flags, ldflags []yamltree.Text
	platforms           []yamltree.Text
	base                *yamltree.Text
}

// Read returns what a file says about the main packages of a repository. env are variables with
// which a Makefile calls ko.
func Read(name, text string, env map[string]string, t *mains.Tree) *File {
	f := &File{Source: finding.Source{Kind: finding.Ko, File: name}, overrides: map[string]yamltree.Text{},
		environment: env, tree: t}
	root, err := yamltree.Parse(text)
	if err != nil {
		f.add(0, name, finding.ByHand, err.Error(), "", "")
		return f
	}
	var builds []yamltree.Entry
	for _, e := range yamltree.Entries(root) {
		switch strings.ToLower(e.Key) {
		case "builds":
			builds = yamltree.Entries(e.Value)
		case "defaultbaseimage":
			base := yamltree.Text{Value: yamltree.Scalar(e.Value), Line: e.Line}
			f.defaults.base = &base
		case "baseimageoverrides":
			for _, o := range yamltree.Entries(e.Value) {
				f.overrides[o.Key] = yamltree.Text{Value: yamltree.Scalar(o.Value), Line: o.Line}
			}
		case "defaultplatforms":
			f.defaults.platforms = yamltree.Texts(e.Value)
		case "defaultenv":
			f.defaults.env = yamltree.Texts(e.Value)
		case "defaultflags":
			f.defaults.flags = yamltree.Texts(e.Value)
		case "defaultldflags":
			f.defaults.ldflags = yamltree.Texts(e.Value)
		case "verification":
			f.add(e.Line, show(e), finding.ByHand, "a base image can require a signature", "BaseSignature",
				"BaseSignature: &build.BaseSignature{…},")
		default:
			f.add(e.Line, show(e), finding.ByHand, "thimble has no such setting", "", "")
		}
	}
	for _, b := range builds {
		f.build(b)
	}
	return f
}

func show(e yamltree.Entry) string { return strings.TrimSpace(e.Key + ": " + yamltree.Short(e.Value)) }

func (f *File) at(line int) finding.Place { return finding.Place{File: f.Source.File, Line: line} }

// add adds an outcome once, because a default is read for every program.
func (f *File) add(line int, text string, o finding.Outcome, reason, setting, write string) {
	l := finding.Line{Place: f.at(line), Text: text, Outcome: o, Reason: reason,
		Setting: setting, Write: write}
	if !slices.Contains(f.Source.Lines, l) {
		f.Source.Lines = append(f.Source.Lines, l)
	}
}

// build reads an element of builds.
func (f *File) build(b yamltree.Entry) {
	dir, main := ".", "."
	d := f.defaults
	var capabilities []yamltree.Text
	for _, e := range yamltree.Entries(b.Value) {
		switch strings.ToLower(e.Key) {
		case "id":
			f.add(e.Line, show(e), finding.NotNeeded, "it is a name for ko", "", "")
		case "dir":
			dir = yamltree.Scalar(e.Value)
		case "main":
			main = yamltree.Scalar(e.Value)
		case "env":
			d.env = yamltree.Texts(e.Value)
		case "flags":
			d.flags = yamltree.Texts(e.Value)
		case "ldflags":
			d.ldflags = yamltree.Texts(e.Value)
		case "linux_capabilities":
			capabilities = yamltree.Texts(e.Value)
		default:
			f.add(e.Line, show(e), finding.ByHand, "thimble has no such setting", "", "")
		}
	}
	found := f.tree.Resolve(path.Join(path.Dir(f.Source.File), dir), []string{relative(main)})
	if len(found) == 0 {
		f.add(b.Line, "main: "+main, finding.ByHand, "there is no such main package", "", "")
		return
	}
	for _, m := range found {
		p := f.program(m, d, f.at(b.Line))
		for _, c := range capabilities {
			f.add(c.Line, "linux_capabilities: "+c.Value, finding.Imported, "Capabilities", "", "")
			for _, name := range strings.Split(c.Value, ",") {
				p.Runtime.Capabilities = append(p.Runtime.Capabilities,
					finding.Found("cap_"+strings.TrimPrefix(strings.TrimSpace(name), "cap_"), f.at(c.Line)))
			}
		}
		f.Source.Programs = append(f.Source.Programs, p)
		f.add(b.Line, "main: "+main, finding.Imported, "Images", "", "")
	}
}

func relative(main string) string {
	if main == "" || strings.HasPrefix(main, ".") || strings.Contains(strings.SplitN(main, "/", 2)[0], ".") {
		return path.Clean("./" + main)
	}
	return "./" + main
}

// Defaults is what a file says about a program that no build names.
type Defaults struct {
	finding.Program
	Lines []finding.Line
}

// Defaults returns what the file says about a program that no build names, such as the base
// image. ok is false if a build names it.
func (f *File) Defaults(m mains.Main) (d Defaults, ok bool) {
	for _, there := range f.Source.Programs {
		if there.Module == m.Module && there.Package == m.Package {
			return d, false
		}
	}
	of := *f
	of.Source.Lines = nil
	d.Program = of.program(m, f.defaults, finding.Place{})
	d.Lines = of.Source.Lines
	return d, true
}

// program returns the settings of one program.
func (f *File) program(m mains.Main, d defaults, from finding.Place) finding.Program {
	p := finding.Program{Module: m.Module, Package: m.Package, From: from}
	flags := gobuild.NewFlags(from)
	env := maps.Clone(f.environment)
	if env == nil {
		env = map[string]string{}
	}
	for _, e := range d.env {
		name, value, _ := strings.Cut(e.Value, "=")
		env[name] = value
		flags.At(f.at(e.Line))
		flags.Variable(name, value)
	}
	var words []gobuild.Word
	for _, e := range d.flags {
		for _, word := range strings.Fields(stamp.Ko(e.Value, env)) {
			words = append(words, gobuild.Word{Text: word, At: f.at(e.Line)})
		}
	}
	flags.Words(words)
	for _, e := range d.ldflags {
		flags.At(f.at(e.Line))
		words, err := ldflags.Split(stamp.Ko(e.Value, env))
		if err != nil {
			f.add(e.Line, e.Value, finding.ByHand, err.Error(), "LDFlags", "")
			continue
		}
		flags.Linker(words)
	}
	p.Build = flags.Build
	for _, l := range flags.Lines {
		if !slices.Contains(f.Source.Lines, l) {
			f.Source.Lines = append(f.Source.Lines, l)
		}
	}
	f.platforms(&p, d.platforms)
	f.base(&p, m, d.base)
	f.data(&p, m)
	return p
}

func (f *File) platforms(p *finding.Program, platforms []yamltree.Text) {
	for _, t := range platforms {
		if t.Value == "all" {
			f.add(t.Line, t.Value, finding.NotNeeded,
				"it means all platforms of the base image; Platforms lists them", "", "")
			continue
		}
		for _, text := range strings.Split(t.Value, ",") {
			if _, err := plan.ParsePlatform(text); err != nil {
				f.add(t.Line, text, finding.ByHand, err.Error(), "Platforms", "")
				continue
			}
			p.Build.Platforms = append(p.Build.Platforms, finding.Found(text, f.at(t.Line)))
			f.add(t.Line, text, finding.Imported, "Platforms", "", "")
		}
	}
}

// base reads the base image of a program.
func (f *File) base(p *finding.Program, m mains.Main, base *yamltree.Text) {
	module, _ := f.tree.Module(m.Module)
	if o, ok := f.overrides[path.Join(module.Path, m.Package)]; ok {
		base = &o
	}
	if base == nil {
		return
	}
	name, _, _ := strings.Cut(base.Value, "@")
	repository := strings.TrimSuffix(strings.SplitN(name[strings.LastIndex(name, "/")+1:], ":", 2)[0],
		"-debian12")
	repository, _, _ = strings.Cut(repository, "-debian")
	text := "base image " + base.Value
	switch {
	case strings.Contains(name, "distroless/") && repository == "static",
		strings.HasPrefix(name, "cgr.dev/") && repository == "static":
		f.add(base.Line, text, finding.NotNeeded, "the image has the files that the binary needs", "", "")
	case strings.Contains(name, "distroless/") && (repository == "base" || repository == "cc"):
		p.Runtime.Base = finding.Found("distroless/"+repository, f.at(base.Line))
		f.add(base.Line, text, finding.Imported, "Base", "", "")
	default:
		f.add(base.Line, text, finding.ByHand,
			"a static binary needs no base; take it if the program calls others in it",
			"Base", "Base: \""+base.Value+"\", // then run mage lock")
	}
}

// data adds the folder kodata beside a main package.
func (f *File) data(p *finding.Program, m mains.Main) {
	at := filepath.Join(f.tree.Root, filepath.FromSlash(m.Dir()), "kodata")
	if info, err := os.Stat(at); err != nil || !info.IsDir() {
		return
	}
	from := finding.Place{File: path.Join(m.Dir(), "kodata")}
	source := path.Join(m.Package, "kodata")
	p.Runtime.Assets = append(p.Runtime.Assets,
		finding.Found(plan.Asset{Source: source, Target: "/var/run/ko"}, from))
	p.Runtime.Env = append(p.Runtime.Env, finding.Found("KO_DATA_PATH=/var/run/ko", from))
	f.Source.Lines = append(f.Source.Lines, finding.Line{
		Place: from, Text: "kodata", Outcome: finding.Imported, Reason: "Assets, Runtime.Env",
		Module: m.Module, Package: m.Package,
	})
}
