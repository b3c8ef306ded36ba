package describe

import (
	"fmt"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/thimble-build/thimble/build/plan"
)

// modulePURL returns the package URL of a Go module. Its type's definition requires lower case,
// although module paths have upper case; the documents' names keep the case. An invalid version,
// such as "(devel)", is left out.
func modulePURL(path, version string) (string, error) {
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
	return purl(packageurl.NewPackageURL(packageurl.TypeGolang, namespace, name, version, nil, ""))
}

// imagePURL returns the package URL of an image, or of a file in it. It has no version: that is
// the image's digest, which is known only after these documents.
func imagePURL(image plan.Image, platform plan.Platform, file string) (string, error) {
	name := image.Name
	qualifiers := map[string]string{"arch": platform.Architecture}
	if image.Repository != "" {
		name = image.Repository[strings.LastIndexByte(image.Repository, '/')+1:]
		qualifiers["repository_url"] = image.Repository
	}
	if len(image.Tags) > 0 {
		qualifiers["tag"] = image.Tags[0]
	}
	return purl(packageurl.NewPackageURL(packageurl.TypeOCI, "", strings.ToLower(name), "",
		packageurl.QualifiersFromMap(qualifiers), strings.TrimPrefix(file, "/")))
}

func purl(p *packageurl.PackageURL) (string, error) {
	if err := p.Normalize(); err != nil {
		return "", fmt.Errorf("make package URL of %s: %w", p.Name, err)
	}
	return p.ToString(), nil
}
