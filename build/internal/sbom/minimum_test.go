package sbom

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// TestMinimumElements holds both documents to the NTIA's "Minimum Elements For a
// Software Bill of Materials" (2021): supplier, name, version and other identifier
// of each component, the relations, the author and the time.
func TestMinimumElements(t *testing.T) {
	in := sampleInput(t)
	if missing := minimumSPDX(readSPDX(t, write(t, SPDX, in))); len(missing) > 0 {
		t.Errorf("SPDX lacks %q", missing)
	}
	if missing := minimumCycloneDX(readCycloneDX(t, write(t, CycloneDX, in))); len(missing) > 0 {
		t.Errorf("CycloneDX lacks %q", missing)
	}

	// The checks find what is not there.
	in.Main.Path, in.Plan.Source = "api", ""
	if got := minimumSPDX(readSPDX(t, write(t, SPDX, in))); !slices.Contains(got, "supplier of api") {
		t.Errorf("a nameless supplier is not found in SPDX: %q", got)
	}
	if got := minimumCycloneDX(readCycloneDX(t, write(t, CycloneDX, in))); !slices.Contains(got, "supplier of api") {
		t.Errorf("a nameless supplier is not found in CycloneDX: %q", got)
	}
}

func minimumSPDX(doc *spdx.Document) (missing []string) {
	need := func(ok bool, format string, args ...any) {
		if !ok {
			missing = append(missing, fmt.Sprintf(format, args...))
		}
	}
	need(len(doc.CreationInfo.Creators) > 0, "author")
	_, err := time.Parse(time.RFC3339, doc.CreationInfo.Created)
	need(err == nil, "timestamp")
	related := map[string]bool{}
	for _, r := range doc.Relationships {
		related[string(r.RefA.ElementRefID)], related[string(r.RefB.ElementRefID)] = true, true
	}
	for _, p := range doc.Packages {
		need(p.PackageName != "", "name of %s", p.PackageSPDXIdentifier)
		need(p.PackageVersion != "", "version of %s", p.PackageName)
		need(p.PackageSupplier != nil && p.PackageSupplier.Supplier != noAssertion, "supplier of %s", p.PackageName)
		need(len(p.PackageExternalReferences) > 0, "identifier of %s", p.PackageName)
		need(related[string(p.PackageSPDXIdentifier)], "relation of %s", p.PackageName)
	}
	return missing
}

func minimumCycloneDX(bom *cdx.BOM) (missing []string) {
	need := func(ok bool, format string, args ...any) {
		if !ok {
			missing = append(missing, fmt.Sprintf(format, args...))
		}
	}
	need(bom.Metadata.Manufacturer != nil && bom.Metadata.Manufacturer.Name != "", "author")
	_, err := time.Parse(time.RFC3339, bom.Metadata.Timestamp)
	need(err == nil, "timestamp")
	related := map[string]bool{}
	for _, d := range *bom.Dependencies {
		related[d.Ref] = true
	}
	for _, c := range append([]cdx.Component{*bom.Metadata.Component}, *bom.Components...) {
		need(c.Name != "", "name of %s", c.BOMRef)
		need(c.Version != "", "version of %s", c.Name)
		need(c.Supplier != nil && c.Supplier.Name != "", "supplier of %s", c.Name)
		need(c.PackageURL != "", "identifier of %s", c.Name)
		need(related[c.BOMRef], "relation of %s", c.Name)
	}
	return missing
}

// TestBSI holds CycloneDX to the required fields of BSI TR-03183-2 v2.1.0, sections
// 5.2.1 and 5.2.2, where section 8.2 puts them; and to 3.1: no vulnerabilities.
func TestBSI(t *testing.T) {
	in := sampleInput(t)
	bom := readCycloneDX(t, write(t, CycloneDX, in))
	if missing := required(bom); len(missing) > 0 {
		t.Errorf("missing: %q", missing)
	}
	if bom.Vulnerabilities != nil {
		t.Error("there are vulnerabilities")
	}
	if !strings.HasPrefix(bom.SerialNumber, "urn:uuid:") {
		t.Errorf("SBOM-URI %q", bom.SerialNumber)
	}

	(*bom.Components)[0].Manufacturer = nil
	(*bom.Components)[0].Properties = nil
	bom.Metadata.Component.ExternalReferences = nil
	if missing := required(bom); len(missing) != 5 {
		t.Errorf("five fields were taken away; the check misses %q", missing)
	}
}

func required(bom *cdx.BOM) (missing []string) {
	need := func(ok bool, format string, args ...any) {
		if !ok {
			missing = append(missing, fmt.Sprintf(format, args...))
		}
	}
	need(hasURL(bom.Metadata.Manufacturer), "creator of the SBOM")
	_, err := time.Parse(time.RFC3339, bom.Metadata.Timestamp)
	need(err == nil, "timestamp")

	enumerated := map[string]bool{}
	for _, d := range *bom.Dependencies {
		enumerated[d.Ref] = true
	}
	var complete []cdx.BOMReference
	for _, c := range *bom.Compositions {
		if c.Aggregate == cdx.CompositionAggregateComplete {
			complete = append(complete, *c.Dependencies...)
		}
	}
	var component func(c cdx.Component)
	component = func(c cdx.Component) {
		ref := c.BOMRef
		need(hasURL(c.Manufacturer), "creator of %s", ref)
		need(c.Name != "", "name of %s", ref)
		need(c.Version != "", "version of %s", ref)
		need(enumerated[ref], "dependencies of %s", ref)
		need(slices.Contains(complete, cdx.BOMReference(ref)), "completeness of %s", ref)
		if !slices.Contains([]string{"component:tzdata@2026a"}, ref) && c.Type != cdx.ComponentTypeFile { // unknown to the test's input
			need(c.Licenses != nil && (*c.Licenses)[0].Expression != "" &&
				*(*c.Licenses)[0].Acknowledgement == cdx.LicenseAcknowledgementConcluded, "distribution licences of %s", ref)
		}
		values := map[string][]string{}
		if c.Properties != nil {
			for _, p := range *c.Properties {
				values[p.Name] = append(values[p.Name], p.Value)
			}
		}
		for name, allowed := range map[string][]string{
			"executable": {"executable", "non-executable"}, "archive": {"archive", "no archive"}, "structured": {"structured", "unstructured"},
		} {
			v := values["bsi:component:"+name]
			need(len(v) == 1 && slices.Contains(allowed, v[0]), "%s property of %s", name, ref)
		}
		// What is linked into the binary is no file: see section 3.2.1.
		if c.Type == cdx.ComponentTypeApplication || c.Type == cdx.ComponentTypeFile {
			need(len(values["bsi:component:filename"]) == 1, "filename of %s", ref)
			need(c.Hashes != nil && sha512Among(*c.Hashes), "SHA-512 of %s", ref)
		}
		if c.Type == cdx.ComponentTypeApplication { // what is deployed by itself
			need(deployableHash(c), "SHA-512 of %s", ref)
		}
		if c.Components != nil {
			for _, part := range *c.Components {
				component(part)
			}
		}
	}
	component(*bom.Metadata.Component)
	for _, c := range *bom.Components {
		component(c)
	}
	return missing
}

func hasURL(e *cdx.OrganizationalEntity) bool {
	if e == nil || e.URL == nil {
		return false
	}
	u, err := url.Parse((*e.URL)[0])
	return err == nil && u.Scheme == "https" && u.Host != ""
}

func deployableHash(c cdx.Component) bool {
	if c.ExternalReferences == nil {
		return false
	}
	for _, r := range *c.ExternalReferences {
		if r.Type == cdx.ERTypeDistribution && r.Hashes != nil && sha512Among(*r.Hashes) {
			return true
		}
	}
	return false
}

func sha512Among(hashes []cdx.Hash) bool {
	return slices.ContainsFunc(hashes, func(h cdx.Hash) bool { return h.Algorithm == cdx.HashAlgoSHA512 && len(h.Value) == 128 })
}

// TestUnknown: what is not known is NOASSERTION, in both documents.
func TestUnknown(t *testing.T) {
	var doc struct {
		Packages []struct{ Name, LicenseConcluded, LicenseDeclared string }
	}
	if err := json.Unmarshal(write(t, SPDX, small()), &doc); err != nil {
		t.Fatal(err)
	}
	for _, p := range doc.Packages {
		if p.Name == "example.com/local" && (p.LicenseConcluded != noAssertion || p.LicenseDeclared != noAssertion) {
			t.Errorf("SPDX: %+v", p)
		}
	}
	for _, c := range *readCycloneDX(t, write(t, CycloneDX, small())).Components {
		if c.Name == "example.com/local" && ((*c.Licenses)[0].License.Name != noAssertion || c.Evidence != nil) {
			t.Errorf("CycloneDX: %+v", c)
		}
	}
}
