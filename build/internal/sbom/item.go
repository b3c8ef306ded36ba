package sbom

import (
	"path"
	"slices"

	"github.com/thimble-build/thimble/build/internal/origin"
	"github.com/thimble-build/thimble/build/internal/tree"
)

// purpose is the kind of an item.
type purpose int

const (
	application purpose = iota
	library
	data
	osPackage // a package of a distribution
	container // a base image
)

// item is a component of the image.
type item struct {
	key     string // unique in the document, and stable
	purpose purpose
	name    string
	version string
	purl    string
	// description is for people.
	description string
	supplier    origin.Party
	// concluded and declared are SPDX expressions; empty if unknown.
	concluded, declared string
	copyrights          []string
	source              origin.Source
	// sha256 is that of the package's file, or of the image's manifest, in hex; builtFrom is the
	// source package.
	sha256, builtFrom string
	location          string // SPDX download location; empty if unknown
	facts             []fact
	replaces          *item
	files             []file
	dependsOn         []string // keys, sorted
}

// The keys of the service and of the standard library.
const (
	applicationKey = "application"
	stdKey         = "std"
)

// fact is a value that neither format has a field for: a property in CycloneDX, an annotation in
// SPDX.
type fact struct{ name, value string }

// file is a regular file of the image.
type file struct {
	path                 string
	sha1, sha256, sha512 string
	executable           bool
}

func (f file) key() string  { return "file:" + f.path }
func (f file) name() string { return path.Base(f.path) }

// archives are the file name extensions of archives that can be unpacked.
var archives = []string{".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".jar", ".war", ".whl"}

// isArchive says whether a file name is that of an archive.
func isArchive(name string) bool { return slices.Contains(archives, path.Ext(name)) }

func treeFile(f tree.File) file {
	return file{path: f.Path, sha1: f.SHA1, sha256: f.SHA256, sha512: f.SHA512}
}

func (b Binary) file() file {
	return file{path: b.Path, sha1: b.SHA1, sha256: b.SHA256, sha512: b.SHA512, executable: true}
}
