package sbom

import (
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// TestLibraries checks that both documents name the libraries that a program with cgo loads, each
// with the package that contains it.
func TestLibraries(t *testing.T) {
	const libcURL = "pkg:deb/debian/libc6@2.41-12?arch=armhf&distro=debian-13"
	libc := tree.Component{Name: "libc6", Version: "2.41-12", PURL: libcURL, SHA256: strings.Repeat("ab", 32)}
	api := small()
	api.Image.Cgo = true
	api.Compiler = &plan.CCompiler{Platform: api.Platform, Version: "arm-linux-gnueabihf-gcc 14.2.0"}
	api.Components = append(api.Components, libc)
	api.Libraries = []Library{
		{"libmine.so.1", "/opt/libmine.so.1", ""}, {"libm.so.6", "/usr/lib/libm.so.6", "libc6"},
		{"libc.so.6", "/usr/lib/libc.so.6", "libc6"},
	}
	want := []string{
		"thimble:cCompiler=arm-linux-gnueabihf-gcc 14.2.0", "thimble:cgo=true",
		"thimble:library=libc.so.6 /usr/lib/libc.so.6 " + libcURL, "thimble:library=libm.so.6 /usr/lib/libm.so.6 " + libcURL,
		"thimble:library=libmine.so.1 /opt/libmine.so.1",
	}
	var cyclonedx, spdx []string
	for _, p := range *readCycloneDX(t, write(t, CycloneDX, api)).Metadata.Component.Properties {
		cyclonedx = append(cyclonedx, p.Name+"="+p.Value)
	}
	for _, a := range readSPDX(t, write(t, SPDX, api)).Packages[0].Annotations {
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
}
