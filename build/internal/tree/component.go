package tree

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/limit"
)

// Component is a named and versioned origin of files in a tree: a certificate store, a time zone
// database, a package. The fields are those that SPDX 2.3 and CycloneDX 1.6 require of a package.
type Component struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// PURL is the package URL; empty if no purl type fits.
	PURL string `json:"purl,omitempty"`
	// License is an SPDX expression; empty if unknown.
	License  string `json:"license,omitempty"`
	Supplier string `json:"supplier,omitempty"`
	// DownloadLocation is a URL in the form of SPDX 2.3 clause 7.7.
	DownloadLocation string `json:"downloadLocation,omitempty"`
	Description      string `json:"description,omitempty"`
	// SHA256 is that of the file at DownloadLocation, in hex; empty if there is no file.
	SHA256 string `json:"sha256,omitempty"`
	// Source is the name and version of the source package, if its name differs: "glibc 2.41-12".
	Source string `json:"source,omitempty"`
	// SBOMs are references to existing documents about the component.
	SBOMs []string `json:"sboms,omitempty"`
	Files []File   `json:"files"`
}

// File is one regular file of a component: its absolute path in the image, its
// size in bytes and its digests in hex.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA1   string `json:"sha1"` // SPDX 2.3 clause 8.4 requires it
	SHA256 string `json:"sha256"`
	SHA512 string `json:"sha512"` // BSI TR-03183-2 section 5.2.2 requires it
}

// Components returns the components of the tree's files, in the order in which they were added,
// each with its regular files sorted by path. It reads every one of these files.
func (t *Tree) Components(ctx context.Context) ([]Component, error) {
	files := make(map[*Component][]File)
	for _, n := range t.Nodes() {
		c := t.nodes[n.Path].component
		if c == nil || !n.Mode.IsRegular() {
			continue
		}
		f, err := t.describe(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("read /%s of the tree: %w", n.Path, err)
		}
		files[c] = append(files[c], f)
	}
	components := make([]Component, 0, len(t.components))
	for _, c := range t.components {
		described := *c
		described.Files = files[c]
		components = append(components, described)
	}
	return components, nil
}

// Overlay returns the components of two layers together: a file belongs to the component in the
// topmost layer that has it.
func Overlay(lower, upper []Component) []Component {
	covered := map[string]bool{}
	for _, c := range upper {
		for _, f := range c.Files {
			covered[f.Path] = true
		}
	}
	all := slices.Clone(lower)
	for i := range all {
		all[i].Files = slices.DeleteFunc(slices.Clone(all[i].Files),
			func(f File) bool { return covered[f.Path] })
	}
	return append(all, upper...)
}

func (t *Tree) describe(ctx context.Context, n Node) (File, error) {
	r, err := t.open(n)
	if err != nil {
		return File{}, err
	}
	defer r.Close() // only read from
	return Describe(ctx, r, "/"+n.Path)
}

// Describe reads the content of the file at an absolute path in an image.
func Describe(ctx context.Context, content io.Reader, path string) (File, error) {
	d, size, err := filesum.ReadDigests(limit.Reader(ctx, content))
	if err != nil {
		return File{}, fmt.Errorf("read %s: %w", path, err)
	}
	return File{Path: path, Size: size, SHA1: d.SHA1, SHA256: d.SHA256, SHA512: d.SHA512}, nil
}

// genericPURL returns a package URL without a package system.
func genericPURL(name, version string) string {
	if version == "" {
		return "pkg:generic/" + name
	}
	return "pkg:generic/" + name + "@" + version
}
