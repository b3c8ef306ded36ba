package sbom

import (
	"net/url"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/origin"
	"github.com/thimble-build/thimble/build/internal/tree"
)

// componentItem describes what brought files into the image: a package, a base image, data.
func componentItem(c tree.Component) *item {
	it := &item{
		key: "component:" + c.Name + "@" + c.Version, purpose: data,
		name: c.Name, version: c.Version, purl: c.PURL, description: c.Description,
		supplier:  origin.Party{Name: c.Supplier, URL: pageOf(c.DownloadLocation)},
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

// pageOf returns the start page of a URL's host; empty if it is not a web URL.
func pageOf(location string) string {
	u, err := url.Parse(strings.TrimPrefix(location, "git+"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
