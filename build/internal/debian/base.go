package debian

import (
	"fmt"
	"slices"

	"github.com/thimble-build/thimble/build/plan"
)

// definition lists the packages of a distroless base, as the distroless project defines it in
// static/config.bzl, base/config.bzl and cc/config.bzl.
type definition struct {
	// exact are packages without their dependencies: they contain data, and only their maintainer
	// scripts have dependencies.
	exact []string
	// roots are packages with all their dependencies.
	roots []string
}

// certificates is the package of which a distroless base contains only the bundle that
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

// bundleOnly says whether only the bundle of the package is unpacked: the package belongs to the
// base, and the user did not add it.
func bundleOnly(s plan.DebianSelection, name string) bool {
	return name == certificates && s.Base != plan.BaseDebian && !slices.Contains(s.With, certificates)
}
