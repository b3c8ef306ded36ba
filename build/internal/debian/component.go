package debian

import (
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// component describes a package, without its licence.
func component(s Selection, p plan.DebianPackage) tree.Component {
	qualifiers := packageurl.QualifiersFromMap(map[string]string{
		"arch": p.Architecture, "distro": "debian-" + release[s.Suite],
	})
	return tree.Component{
		Name:    p.Name,
		Version: p.Version,
		PURL: packageurl.NewPackageURL(packageurl.TypeDebian, "debian", p.Name, p.Version,
			qualifiers, "").ToString(),
		Supplier:         supplier(p.Maintainer),
		DownloadLocation: s.location(p),
		SHA256:           p.SHA256,
		Source:           p.Source + " " + p.SourceVersion,
	}
}

// supplier returns the maintainer's name, without the address.
func supplier(maintainer string) string {
	name, _, _ := strings.Cut(maintainer, "<")
	return strings.Trim(name, ` "`)
}

// location returns the public URL of a package: in the snapshot that the lock names. It is empty
// if the lock was made from a mirror without snapshots, because such a mirror may not be public.
func (s Selection) location(p plan.DebianPackage) string {
	for _, x := range s.Indexes {
		if x.Archive == p.Archive && x.Snapshot != "" {
			return Snapshot + "/" + x.Archive + "/" + x.Snapshot + "/" + p.Path
		}
	}
	return ""
}
