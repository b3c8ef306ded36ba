// Package purl returns the package URLs (purl-spec) that the documents about images contain. It
// takes a Go module or an image, and returns the URL as text, in the normal form of its type. It
// does not check whether the module or the image exists.
package purl

import (
	"fmt"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/thimble-build/thimble/build/plan"
)

// Module returns the package URL of a Go module. Its type's definition requires lower case,
// although module paths have upper case; the documents' names keep the case. An invalid version,
// such as "(devel)", is left out.
func Module(path, version string) (string, error) {
	namespace, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		namespace, name = path[:i], path[i+1:]
	}
	if path == "std" {
		version, _, _ = strings.Cut(strings.TrimPrefix(version, "go"), " ")
	}
	if strings.HasPrefix(version, "(") || strings.HasPrefix(version, "devel") {
		version = ""
	}
	return text(packageurl.NewPackageURL(packageurl.TypeGolang, namespace, name, version, nil, ""))
}

// Image returns the package URL of an image of a plan, or of a file in it. It has no version: that
// is the image's digest, which is known only after the SBOM is written.
func Image(image plan.Image, platform plan.Platform, file string) (string, error) {
	name := image.Name
	qualifiers := map[string]string{"arch": platform.Architecture}
	if image.Repository != "" {
		name = lastElement(image.Repository)
		qualifiers["repository_url"] = image.Repository
	}
	if len(image.Tags) > 0 {
		qualifiers["tag"] = image.Tags[0]
	}
	return text(packageurl.NewPackageURL(packageurl.TypeOCI, "", strings.ToLower(name), "",
		packageurl.QualifiersFromMap(qualifiers), strings.TrimPrefix(file, "/")))
}

// Digest returns the package URL of a digest in an image repository.
func Digest(repository, digest string) (string, error) {
	qualifiers := packageurl.QualifiersFromMap(map[string]string{"repository_url": repository})
	name := strings.ToLower(lastElement(repository))
	return text(packageurl.NewPackageURL(packageurl.TypeOCI, "", name, digest, qualifiers, ""))
}

func lastElement(repository string) string {
	return repository[strings.LastIndexByte(repository, '/')+1:]
}

func text(p *packageurl.PackageURL) (string, error) {
	if err := p.Normalize(); err != nil {
		return "", fmt.Errorf("make package URL of %s: %w", p.Name, err)
	}
	return p.ToString(), nil
}
