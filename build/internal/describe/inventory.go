package describe

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// kitPath is the kit's repository; identifiers begin with it.
const kitPath = "github.com/thimble-build/thimble"

// inventory is the content of both SBOM formats, independent of either.
type inventory struct {
	created     string // RFC 3339
	kit         plan.Kit
	author      party // the supplier of the service
	application *item
	items       []*item // all other components, sorted by kind and name
}

// purpose is the kind of an item.
type purpose int

const (
	application purpose = iota
	library
	data
	osPackage // a package of a distribution
	container // a base image
)

// item is a component of the image.
type item struct {
	key     string // unique in the document, and stable
	purpose purpose
	name    string
	version string
	purl    string
	// description is for people.
	description string
	supplier    party
	// concluded and declared are SPDX expressions; empty if unknown.
	concluded, declared string
	copyrights          []string
	source              source
	// sha256 is that of the package's file, or of the image's manifest, in hex; builtFrom is the
	// source package.
	sha256, builtFrom string
	location          string // SPDX download location; empty if unknown
	facts             []fact
	replaces          *item
	files             []file
	dependsOn         []string // keys, sorted
}

// fact is a value that neither format has a field for: a property in CycloneDX, an annotation in
// SPDX.
type fact struct{ name, value string }

// file is a regular file of the image.
type file struct {
	path                 string
	sha1, sha256, sha512 string
	executable           bool
}

func (f file) key() string  { return "file:" + f.path }
func (f file) name() string { return path.Base(f.path) }

const (
	applicationKey = "application"
	stdKey         = "std"
)

func newInventory(in Input) (*inventory, error) {
	inv := &inventory{
		created: in.Plan.Created().Format("2006-01-02T15:04:05Z"),
		kit:     in.Plan.Kit,
	}
	modules := append([]Module{in.Std, in.Main}, in.Modules...)
	if in.Main.Path == "" {
		modules, inv.author = nil, sourceSupplier(in.Plan.Source)
	}
	keys := map[string]string{} // by import path
	for _, m := range modules {
		if _, ok := keys[m.Path]; ok {
			return nil, fmt.Errorf("module:%s is there twice", m.Path)
		}
		keys[m.Path] = moduleKey(m)
	}
	imported := map[string]bool{}
	for _, m := range modules {
		it, err := moduleItem(m)
		if err != nil {
			return nil, err
		}
		switch {
		case m.Path == in.Main.Path:
			inv.describeMain(it, in.Plan)
		case m.Replace != nil && isFolder(*m.Replace):
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
	for _, p := range in.Programs {
		reached, err := inv.addProgram(p)
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
				return fmt.Errorf("%s is there twice", key)
			}
			seen[key] = true
		}
	}
	return nil
}

func moduleKey(m Module) string {
	if m.Path == "std" {
		return stdKey
	}
	return "module:" + m.Path
}

// moduleItem describes the linked module: of a replaced module, the replacement, and it records
// the original. A folder that replaces a module has no name or version, so it keeps the original
// name.
func moduleItem(m Module) (*item, error) {
	linked := m
	if m.Replace != nil {
		linked = *m.Replace
		if isFolder(linked) {
			linked.Path, linked.Version, linked.Sum = m.Path, "(devel)", ""
		}
	}
	it := &item{
		key: moduleKey(m), purpose: library,
		name: linked.Path, version: linked.Version,
		supplier:  supplier(linked.Path),
		concluded: m.License.Expression, declared: m.License.Declared, copyrights: m.License.Copyrights,
		source: moduleSource(linked.Path, linked.Version),
	}
	it.location = it.source.location()
	if m.Path == "std" {
		it.description = "The Go standard library and runtime"
	}
	var err error
	if it.purl, err = modulePURL(linked.Path, linked.Version); err != nil {
		return nil, err
	}
	if linked.Sum != "" {
		it.facts = append(it.facts, fact{"thimble:module:h1", linked.Sum})
	}
	if m.Replace != nil {
		it.replaces = &item{name: m.Path, version: m.Version, supplier: supplier(m.Path)}
		if it.replaces.purl, err = modulePURL(m.Path, m.Version); err != nil {
			return nil, err
		}
		it.facts = append(it.facts, fact{"thimble:module:replaces", m.Path + "@" + m.Version})
		if isFolder(*m.Replace) {
			it.facts = append(it.facts, fact{"thimble:module:source", "folder"})
		}
	}
	return it, nil
}

// isFolder says whether a replacement is a folder; folders have no version.
func isFolder(m Module) bool {
	return m.Version == "" || m.Version == "(devel)"
}

// describeMain adds to the main module the facts that only the plan has. Its supplier is also the
// author of the documents.
func (inv *inventory) describeMain(it *item, p *plan.Plan) {
	it.facts = append(it.facts, revisionFacts(p)...)
	if it.supplier == (party{}) {
		it.supplier = sourceSupplier(p.Source)
	}
	inv.author = it.supplier
	if p.Source == "" || p.Revision == "" {
		return
	}
	it.source = gitSource(p.Source, p.Revision)
	it.location = it.source.location()
	if p.Dirty {
		it.location = "" // that source differs from the built one
	}
}

// sourceSupplier returns the owner of a repository.
func sourceSupplier(repository string) party {
	u, err := url.Parse(gitSource(repository, "").repository)
	if err != nil || u.Hostname() == "" {
		return party{}
	}
	return supplier(u.Hostname() + u.Path)
}

func revisionFacts(p *plan.Plan) []fact {
	facts := []fact{{"thimble:dirty", strconv.FormatBool(p.Dirty)}}
	if p.Revision != "" {
		facts = append(facts, fact{"thimble:revision", p.Revision})
	}
	return facts
}

func applicationItem(in Input, author party) (*item, error) {
	it := &item{
		key: applicationKey, purpose: application,
		name: in.Image.Name, version: in.Plan.Version,
		description: in.Image.Title,
		supplier:    author,
		concluded:   in.Image.Licenses, declared: in.Image.Licenses,
		copyrights: in.Main.License.Copyrights,
		files: []file{{
			path: in.Binary.Path, sha1: in.Binary.SHA1, sha256: in.Binary.SHA256, sha512: in.Binary.SHA512, executable: true,
		}},
	}
	if it.concluded == "" {
		it.concluded, it.declared = in.Main.License.Expression, in.Main.License.Declared
	}
	var err error
	if it.purl, err = imagePURL(in.Image, in.Platform, ""); err != nil {
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
	it.facts = append(it.facts, libraryFacts(in)...)
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

func componentItem(c tree.Component) *item {
	it := &item{
		key: "component:" + c.Name + "@" + c.Version, purpose: data,
		name: c.Name, version: c.Version, purl: c.PURL, description: c.Description,
		supplier:  party{c.Supplier, pageOf(c.DownloadLocation)},
		concluded: c.License, declared: c.License,
		location: c.DownloadLocation, sha256: c.SHA256, builtFrom: c.Source,
	}
	switch {
	case strings.HasPrefix(c.PURL, "pkg:deb/"):
		it.purpose = osPackage
	case strings.HasPrefix(c.PURL, "pkg:oci/"):
		it.purpose = container
	}
	for _, f := range []fact{{"thimble:package:sha256", c.SHA256}, {"thimble:package:source", c.Source}} {
		if f.value != "" {
			it.facts = append(it.facts, f)
		}
	}
	for _, s := range c.SBOMs {
		it.facts = append(it.facts, fact{"thimble:sbom", s})
	}
	for _, f := range c.Files {
		it.files = append(it.files, treeFile(f))
	}
	slices.SortFunc(it.files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return it
}

func treeFile(f tree.File) file {
	return file{path: f.Path, sha1: f.SHA1, sha256: f.SHA256, sha512: f.SHA512}
}

// expression returns a licence in the documents' form.
func expression(e string) string {
	return cmp.Or(e, noAssertion)
}
