package sbom

import (
	"cmp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/origin"
	"github.com/thimble-build/thimble/build/internal/purl"
)

// applicationItem describes the service. Its first file is the binary.
func applicationItem(in Input, author origin.Party) (*item, error) {
	it := &item{
		key: applicationKey, purpose: application,
		name: in.Image.Name, version: in.Plan.Version,
		description: in.Image.Title,
		supplier:    author,
		concluded:   in.Image.Licenses, declared: in.Image.Licenses,
		copyrights: in.Main.License.Copyrights,
		files:      []file{in.Binary.file()},
	}
	if it.concluded == "" {
		it.concluded, it.declared = in.Main.License.Expression, in.Main.License.Declared
	}
	var err error
	if it.purl, err = purl.Image(in.Image, in.Platform, ""); err != nil {
		return nil, err
	}
	it.facts = append([]fact{
		{"thimble:image", in.Image.Reference()},
		{"thimble:moduleVersion", in.Plan.ModuleVersion},
		{"thimble:package", in.Image.Package},
		{"thimble:platform", in.Platform.String()},
		{"thimble:toolchain", in.Plan.Toolchain.Version},
		{"thimble:version", in.Plan.Version},
	}, revisionFacts(in.Plan)...)
	if in.Image.Cgo {
		it.facts = append(it.facts, fact{"thimble:cgo", "true"})
		if in.Compiler != nil {
			it.facts = append(it.facts, fact{"thimble:cCompiler", in.Compiler.Version})
		}
	}
	if fips := in.Plan.Toolchain.Of(in.Image).FIPS140; fips != "" {
		it.facts = append(it.facts, fact{"thimble:gofips140", fips})
	}
	for _, p := range in.Image.Programs {
		it.facts = append(it.facts, fact{"thimble:program", p.Name + " " + p.Package})
	}
	it.facts = append(it.facts, libraryFacts(in)...)
	for _, b := range in.Further {
		it.files = append(it.files, b.file())
	}
	for _, a := range in.Assets {
		f := treeFile(a.File)
		f.executable = a.Executable
		it.files = append(it.files, f)
	}
	slices.SortFunc(it.files[1:], func(a, b file) int { return strings.Compare(a.path, b.path) })
	return it, nil
}

// libraryFacts returns the libraries loaded when the binary starts, and their components.
func libraryFacts(in Input) (facts []fact) {
	for _, l := range in.Libraries {
		value := l.Name + " " + l.Path
		for _, c := range in.Components {
			if c.Name == l.Component {
				value += " " + cmp.Or(c.PURL, c.Name)
			}
		}
		facts = append(facts, fact{"thimble:library", value})
	}
	slices.SortFunc(facts, func(a, b fact) int { return strings.Compare(a.value, b.value) })
	return facts
}
