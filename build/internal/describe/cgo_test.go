package describe

import (
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// What a program with cgo is linked with is told, together with the package that has it:
// in both SBOMs, and at the package in the provenance.
func TestLibraries(t *testing.T) {
	const purl = "pkg:deb/debian/libc6@2.41-12?arch=armhf&distro=debian-13"
	libc := tree.Component{Name: "libc6", Version: "2.41-12", PURL: purl, SHA256: strings.Repeat("ab", 32)}
	in := released()
	api := &in.Images[0]
	api.Image.Cgo = true
	api.Compiler = &plan.CCompiler{Platform: api.Platform, Version: "arm-linux-gnueabihf-gcc 14.2.0"}
	api.Components = append(api.Components, libc)
	api.Libraries = []Library{
		{"libmine.so.1", "/opt/libmine.so.1", ""}, {"libm.so.6", "/usr/lib/libm.so.6", "libc6"}, {"libc.so.6", "/usr/lib/libc.so.6", "libc6"},
	}
	want := []string{
		"thimble:cCompiler=arm-linux-gnueabihf-gcc 14.2.0", "thimble:cgo=true",
		"thimble:library=libc.so.6 /usr/lib/libc.so.6 " + purl, "thimble:library=libm.so.6 /usr/lib/libm.so.6 " + purl,
		"thimble:library=libmine.so.1 /opt/libmine.so.1",
	}
	var cyclonedx, spdx []string
	for _, p := range *readCycloneDX(t, write(t, CycloneDX, *api)).Metadata.Component.Properties {
		cyclonedx = append(cyclonedx, p.Name+"="+p.Value)
	}
	for _, a := range readSPDX(t, write(t, SPDX, *api)).Packages[0].Annotations {
		spdx = append(spdx, a.AnnotationComment)
	}
	for name, got := range map[string][]string{"CycloneDX": cyclonedx, "SPDX": spdx} {
		got = slices.DeleteFunc(got, func(s string) bool {
			return !strings.HasPrefix(s, "thimble:c") && !strings.HasPrefix(s, "thimble:library")
		})
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
	b := provenance(t, in)
	for _, d := range at(t, b, "buildDefinition", "resolvedDependencies").([]any) {
		d := d.(map[string]any)
		annotations, _ := d["annotations"].(map[string]any)
		got, _ := annotations["libraries"].([]any)
		if isLibc := d["name"] == "libc6"; isLibc != slices.Equal(got, []any{"/usr/lib/libc.so.6", "/usr/lib/libm.so.6"}) || !isLibc && got != nil {
			t.Errorf("%s has the libraries %v", d["name"], got)
		}
	}
}
