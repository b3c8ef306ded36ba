package sbom

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/thimble-build/thimble/build/internal/origin"
	"github.com/thimble-build/thimble/build/internal/purl"
)

// CycloneDX returns the CycloneDX 1.6 JSON document, with the fields that BSI TR-03183-2 v2.1.0
// requires (sections 5.2.1 to 5.2.4, in the places of section 8.2). A component of CycloneDX 1.6
// has one licence expression: the concluded one is in its licenses, as the BSI requires, the
// declared one in its evidence. Only files have hashes; go.sum's h1 is a property.
func CycloneDX(in Input) ([]byte, error) {
	inv, err := newInventory(in)
	if err != nil {
		return nil, fmt.Errorf("write CycloneDX: %w", err)
	}
	bom := cdx.NewBOM()
	bom.SpecVersion = cdx.SpecVersion1_6
	bom.JSONSchema = "http://cyclonedx.org/schema/bom-1.6.schema.json"

	app := cdxComponent(inv.application)
	binary := inv.application.files[0]
	url, err := purl.Image(in.Image, in.Platform, binary.path)
	if err != nil {
		return nil, fmt.Errorf("write CycloneDX: %w", err)
	}
	hashes := cdxHashes(binary)
	app.Hashes = &hashes
	add(&app.ExternalReferences, cdx.ExternalReference{
		Type: cdx.ERTypeDistribution, URL: url, Hashes: &hashes, Comment: "the binary in the image",
	})
	add(&app.Properties, bsiProperties(binary.name(), true)...)
	bom.Metadata = &cdx.Metadata{
		Timestamp:  inv.created,
		Lifecycles: &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhaseBuild}},
		Tools:      &cdx.ToolsChoice{Components: &[]cdx.Component{kitComponent(inv)}},
		Component:  &app,
		// The BSI requires a creator with a URL: if none is known, the kit's.
		Manufacturer: entity(cmp.Or(inv.author, origin.Supplier(kitPath))),
		Supplier:     entity(inv.author),
	}

	// Every component has an entry in the dependencies, which is empty if it has none.
	dependencies := []cdx.Dependency{}
	var assemblies, refs []cdx.BOMReference
	describe := func(it *item, c *cdx.Component) {
		on := slices.Clone(it.dependsOn)
		for _, f := range it.files {
			if it.purpose == application && f == binary {
				continue // the application itself
			}
			add(&c.Components, cdxFile(f, it))
			on = append(on, f.key())
			dependencies = append(dependencies, cdx.Dependency{Ref: f.key()})
			refs = append(refs, cdx.BOMReference(f.key()))
		}
		slices.Sort(on)
		if it.purpose != library {
			assemblies = append(assemblies, cdx.BOMReference(it.key))
		}
		d := cdx.Dependency{Ref: it.key}
		if len(on) > 0 {
			d.Dependencies = &on
		}
		dependencies = append(dependencies, d)
		refs = append(refs, cdx.BOMReference(it.key))
	}
	describe(inv.application, &app)
	components := make([]cdx.Component, 0, len(inv.items))
	for _, it := range inv.items {
		c := cdxComponent(it)
		add(&c.Properties, bsiProperties("", it.purpose == library)...)
		describe(it, &c)
		components = append(components, c)
	}
	bom.Components = &components
	bom.Dependencies = &dependencies
	bom.Compositions = &[]cdx.Composition{{
		Aggregate: cdx.CompositionAggregateComplete, Assemblies: &assemblies, Dependencies: &refs,
	}}

	bom.SerialNumber = "urn:uuid:" + unidentified
	content, err := encodeBOM(bom)
	if err != nil {
		return nil, fmt.Errorf("write CycloneDX: %w", err)
	}
	return identify("cyclonedx", content), nil
}

func encodeBOM(bom *cdx.BOM) ([]byte, error) {
	var b bytes.Buffer
	err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).SetEscapeHTML(false).Encode(bom)
	return b.Bytes(), err
}

// add appends to one of the library's optional lists.
func add[T any](list **[]T, values ...T) {
	if *list == nil {
		*list = new([]T)
	}
	**list = append(**list, values...)
}

var cdxType = map[purpose]cdx.ComponentType{
	application: cdx.ComponentTypeApplication, library: cdx.ComponentTypeLibrary, data: cdx.ComponentTypeData,
	osPackage: cdx.ComponentTypeLibrary, container: cdx.ComponentTypeContainer,
}

func cdxComponent(it *item) cdx.Component {
	c := cdx.Component{
		BOMRef:       it.key,
		Type:         cdxType[it.purpose],
		Supplier:     entity(it.supplier),
		Manufacturer: entity(it.supplier),
		Name:         it.name,
		Version:      it.version,
		Description:  it.description,
		Licenses:     licenses(it.concluded, cdx.LicenseAcknowledgementConcluded),
		PackageURL:   it.purl,
	}
	if it.declared != "" || len(it.copyrights) > 0 {
		c.Evidence = &cdx.Evidence{}
		if it.declared != "" {
			c.Evidence.Licenses = licenses(it.declared, cdx.LicenseAcknowledgementDeclared)
		}
		for _, line := range it.copyrights {
			add(&c.Evidence.Copyright, cdx.Copyright{Text: line})
		}
	}
	if it.source.Repository != "" {
		add(&c.ExternalReferences, cdx.ExternalReference{Type: cdx.ERTypeVCS, URL: it.source.Repository})
	}
	if it.location != "" {
		add(&c.ExternalReferences, cdx.ExternalReference{Type: cdx.ERTypeSourceDistribution,
			URL: it.location})
	}
	if it.replaces != nil {
		c.Pedigree = &cdx.Pedigree{Ancestors: &[]cdx.Component{{
			Type: cdxType[it.purpose], Name: it.replaces.name, Version: it.replaces.version,
			PackageURL: it.replaces.purl, Supplier: entity(it.replaces.supplier),
		}}}
	}
	for _, f := range it.facts {
		add(&c.Properties, cdx.Property{Name: f.name, Value: f.value})
	}
	if it.concluded != "" {
		add(&c.Properties, cdx.Property{Name: "bsi:component:effectiveLicence", Value: it.concluded})
	}
	return c
}

// cdxFile returns a file as a component, with the version of its owner.
func cdxFile(f file, owner *item) cdx.Component {
	hashes := cdxHashes(f)
	c := cdx.Component{
		BOMRef: f.key(), Type: cdx.ComponentTypeFile,
		Supplier: entity(owner.supplier), Manufacturer: entity(owner.supplier),
		Name: f.path, Version: owner.version, Hashes: &hashes,
	}
	concluded := ""
	if owner.purpose >= data {
		concluded = owner.concluded
	}
	c.Licenses = licenses(concluded, cdx.LicenseAcknowledgementConcluded)
	add(&c.Properties, bsiProperties(f.name(), f.executable)...)
	return c
}

func entity(p origin.Party) *cdx.OrganizationalEntity {
	if p.Name == "" {
		return nil
	}
	e := &cdx.OrganizationalEntity{Name: p.Name}
	if p.URL != "" {
		e.URL = &[]string{p.URL}
	}
	return e
}

// licenses returns one expression, or a licence named as unknown.
func licenses(expression string, how cdx.LicenseAcknowledgement) *cdx.Licenses {
	if expression == "" {
		return &cdx.Licenses{{License: &cdx.License{Name: noAssertion, Acknowledgement: how}}}
	}
	return &cdx.Licenses{{Expression: expression, Acknowledgement: &how}}
}

func cdxHashes(f file) []cdx.Hash {
	var hashes []cdx.Hash
	for _, h := range []cdx.Hash{
		{Algorithm: cdx.HashAlgoSHA1, Value: f.sha1},
		{Algorithm: cdx.HashAlgoSHA256, Value: f.sha256},
		{Algorithm: cdx.HashAlgoSHA512, Value: f.sha512},
	} {
		if h.Value != "" {
			hashes = append(hashes, h)
		}
	}
	return hashes
}

func kitComponent(inv *inventory) cdx.Component {
	maker := entity(origin.Supplier(kitPath))
	return cdx.Component{
		Type: cdx.ComponentTypeApplication, Name: "thimble", Version: cmp.Or(inv.kit.Version, "unknown"),
		Supplier: maker, Manufacturer: maker,
	}
}

// bsiProperties are the properties of the BSI's taxonomy for CycloneDX. A component linked into a
// binary has no filename, since it has no file. It is code, and its parts cannot be separated
// again.
func bsiProperties(filename string, executable bool) []cdx.Property {
	properties := []cdx.Property{
		{Name: "bsi:component:archive", Value: "no archive"},
		{Name: "bsi:component:executable", Value: "non-executable"},
		{Name: "bsi:component:structured", Value: "unstructured"},
	}
	if isArchive(filename) {
		properties[0].Value, properties[2].Value = "archive", "structured"
	}
	if executable {
		properties[1].Value = "executable"
	}
	if filename != "" {
		properties = append(properties, cdx.Property{Name: "bsi:component:filename", Value: filename})
	}
	return properties
}
