package debian

import (
	"fmt"
	"slices"

	"github.com/thimble-build/thimble/build/plan"
)

// definition is what a distroless base is made of, as the distroless project has it in
// static/config.bzl, base/config.bzl and cc/config.bzl.
type definition struct {
	// exact are packages without what they depend on: data, whose dependencies are for
	// their maintainer scripts.
	exact []string
	// roots are packages with all that they depend on.
	roots []string
}

// certificates is the package of which a distroless base has nothing but the bundle that
// update-ca-certificates makes, and the copyright file.
const certificates = "ca-certificates"

func define(suite, base string) (definition, error) {
	d := definition{exact: []string{"base-files", certificates, "media-types", "netbase", "tzdata"}}
	ssl, gcc := "libssl3", "gcc-12-base"
	if suite == "trixie" {
		d.exact = append(d.exact, "tzdata-legacy")
		ssl, gcc = "libssl3t64", "gcc-14-base"
	}
	switch base {
	case plan.BaseStatic:
	case plan.BaseBase:
		d.roots = []string{"libc6", ssl}
	case plan.BaseCC:
		d.roots = []string{"libc6", ssl, gcc, "libgcc-s1", "libgomp1", "libstdc++6"}
	case plan.BaseDebian:
		d.exact = nil
	default:
		return definition{}, fmt.Errorf("base %q is not made of Debian's packages", base)
	}
	return d, nil
}

// bundleOnly says whether of the package only the bundle is unpacked: it is part of the
// base, and nobody asked for more of it.
func bundleOnly(s plan.DebianSelection, name string) bool {
	return name == certificates && s.Base != plan.BaseDebian && !slices.Contains(s.With, certificates)
}
