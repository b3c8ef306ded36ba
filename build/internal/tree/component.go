package tree

// Component is something with a name and a version of its own that brought
// files into a tree: a certificate store, a time zone database, a package. The
// fields are what SPDX 2.3 and CycloneDX 1.6 ask of a package.
type Component struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// PURL is the package URL; empty where no purl type fits.
	PURL string `json:"purl,omitempty"`
	// License is an SPDX expression; empty where it is not known.
	License  string `json:"license,omitempty"`
	Supplier string `json:"supplier,omitempty"`
	// DownloadLocation is a URL as SPDX 2.3 clause 7.7 writes it.
	DownloadLocation string `json:"downloadLocation,omitempty"`
	Description      string `json:"description,omitempty"`
	Files            []File `json:"files"`
}

// File is one regular file of a component: its absolute path in the image, its
// size in bytes and its digests in hex.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA1   string `json:"sha1"` // SPDX 2.3 clause 8.4 requires it
	SHA256 string `json:"sha256"`
}
