// Package promu reads .promu.yml, the build file of Prometheus and its exporters.
package promu

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/gobuild"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/init/yamltree"
	"github.com/thimble-build/thimble/build/internal/ldflags"
)

// Names are the names of the file.
var Names = []string{".promu.yml", ".promu.yaml"}

// Read returns what a file says about the main packages of a repository.
func Read(name, text string, t *mains.Tree) finding.Source {
	s := finding.Source{Kind: finding.Promu, File: name}
	root, err := yamltree.Parse(text)
	if err != nil {
		s.Lines = append(s.Lines, finding.Line{Place: finding.Place{File: name}, Text: name,
			Outcome: finding.ByHand, Reason: err.Error()})
		return s
	}
	r := &reader{source: &s, tree: t, dir: path.Dir(name), flags: gobuild.NewFlags(finding.Place{File: name})}
	for _, e := range yamltree.Entries(root) {
		switch e.Key {
		case "build":
			r.build(e)
		case "go":
			r.goKeys(e)
		case "repository":
			r.repository = yamltree.Scalar(yamltree.Get(e.Value, "path"))
			r.line(e, finding.NotNeeded, "go.mod says it")
		case "tarball":
			r.line(e, finding.NotNeeded, "archives have licence, notice and README; they need no list")
		case "crossbuild":
			r.line(e, finding.NotNeeded,
				"a release makes linux/amd64 and linux/arm64; Platforms says it otherwise")
		case "release", "checksum", "verbose":
			r.line(e, finding.NotNeeded, "thimble has its own release")
		default:
			r.byHand(e, "thimble has no such setting")
		}
	}
	if !r.flags.Build.Cgo.Set() { // promu sets CGO_ENABLED=0 unless go.cgo is true
		r.flags.Build.Cgo = finding.Found(false, finding.Place{File: name})
	}
	for i := range s.Programs {
		s.Programs[i].Build = r.flags.Build
	}
	s.Lines = append(s.Lines, r.flags.Lines...)
	return s
}

type reader struct {
	source     *finding.Source
	tree       *mains.Tree
	dir        string
	repository string
	flags      *gobuild.Flags
}

func (r *reader) at(line int) finding.Place { return finding.Place{File: r.source.File, Line: line} }

func (r *reader) line(e yamltree.Entry, o finding.Outcome, reason string) {
	r.source.Lines = append(r.source.Lines, finding.Line{
		Place: r.at(e.Line), Text: strings.TrimSpace(e.Key + ": " + yamltree.Short(e.Value)),
		Outcome: o, Reason: reason,
	})
}

func (r *reader) byHand(e yamltree.Entry, reason string) { r.line(e, finding.ByHand, reason) }

func (r *reader) goKeys(section yamltree.Entry) {
	for _, e := range yamltree.Entries(section.Value) {
		switch e.Key {
		case "cgo":
			r.flags.At(r.at(e.Line))
			r.flags.Variable("CGO_ENABLED", map[bool]string{true: "1",
				false: "0"}[yamltree.Scalar(e.Value) == "true"])
		case "version":
			r.line(e, finding.NotNeeded, "go.mod says it")
		default:
			r.byHand(e, "thimble has no such setting")
		}
	}
}

func (r *reader) build(section yamltree.Entry) {
	binaries := false
	for _, e := range yamltree.Entries(section.Value) {
		switch e.Key {
		case "binaries":
			for _, b := range yamltree.Entries(e.Value) {
				binaries = true
				b.Key = e.Key
				r.binary(b)
			}
		case "flags":
			r.goFlags(e)
		case "ldflags":
			r.ldflags(e)
		case "tags":
			r.tags(e.Value)
		case "prefix":
			r.line(e, finding.NotNeeded, "programs are in dist/bin")
		default:
			r.byHand(e, "thimble has no such setting")
		}
	}
	if !binaries {
		if m, ok := r.tree.At(r.dir); ok {
			p := finding.Program{Module: m.Module, Package: m.Package, From: r.at(section.Line)}
			r.source.Programs = append(r.source.Programs, p)
		}
	}
}

func (r *reader) binary(b yamltree.Entry) {
	pkg, name := yamltree.Scalar(yamltree.Get(b.Value, "path")),
		yamltree.Scalar(yamltree.Get(b.Value, "name"))
	found := r.tree.Resolve(r.dir, []string{"./" + path.Clean(pkg)})
	if len(found) == 0 {
		r.byHand(b, "there is no main package "+pkg)
		return
	}
	p := finding.Program{Module: found[0].Module, Package: found[0].Package, From: r.at(b.Line)}
	if name != "" {
		p.Name = finding.Found(name, r.at(b.Line))
	}
	r.source.Programs = append(r.source.Programs, p)
	r.line(b, finding.Imported, "Images")
}

func (r *reader) goFlags(e yamltree.Entry) {
	words, err := ldflags.Split(stamp.Promu(yamltree.Scalar(e.Value)))
	if err != nil {
		r.byHand(e, err.Error())
		return
	}
	var all []gobuild.Word
	for _, w := range words {
		all = append(all, gobuild.Word{Text: w, At: r.at(e.Line)})
	}
	r.flags.Words(all)
}

// ldflags reads a block of text line by line, so that each flag has its place.
func (r *reader) ldflags(e yamltree.Entry) {
	for i, text := range strings.Split(yamltree.Scalar(e.Value), "\n") {
		line := e.Line
		if e.Value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			line += 1 + i
		}
		r.flags.At(r.at(line))
		words, err := ldflags.Split(stamp.Promu(text))
		if err != nil {
			r.byHand(e, err.Error())
			continue
		}
		r.flags.Linker(words)
	}
}

// tags reads a list of tags, or lists by system with "all" for every one.
func (r *reader) tags(n *yaml.Node) {
	for _, t := range yamltree.Texts(n) {
		r.flags.At(r.at(t.Line))
		r.flags.Tags(strings.Fields(t.Value))
	}
	for _, e := range yamltree.Entries(n) {
		switch e.Key {
		case "":
		case "all", "linux":
			r.tags(e.Value)
		default:
			r.line(e, finding.NotNeeded, "images are for linux")
		}
	}
}
