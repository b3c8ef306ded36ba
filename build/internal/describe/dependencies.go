package describe

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/purl"
	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/internal/tree"
)

// dependencies returns the toolchain, the linked modules and the base content of all images
// together, sorted. The main module is left out, because it is the source. So is a module that a
// folder of the source replaces, which has no digest.
func dependencies(images []sbom.Input, toolchain sbom.Module) ([]descriptor, error) {
	own, err := moduleDescriptor(toolchain)
	if err != nil {
		return nil, err
	}
	own.Name = "toolchain"
	var all []descriptor
	for _, i := range images {
		modules := append([]sbom.Module{i.Std}, i.Modules...)
		for _, p := range i.Programs {
			for _, m := range p.Modules {
				if !p.Own || m.Path != p.Path {
					modules = append(modules, m)
				}
			}
		}
		for _, m := range modules {
			d, err := moduleDescriptor(m)
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
		for _, c := range i.Components {
			d, err := componentDescriptor(c)
			if err != nil {
				return nil, err
			}
			if names := linked(i.Libraries, c.Name); names != nil {
				d.Annotations = linkedBy{names}
			}
			all = append(all, d)
		}
	}
	slices.SortFunc(all, compareDescriptors)
	all = slices.CompactFunc(all, func(a, b descriptor) bool { return compareDescriptors(a, b) == 0 })
	return slices.Insert(all, 0, own), nil
}

func compareDescriptors(a, b descriptor) int {
	return cmp.Or(
		strings.Compare(a.Name, b.Name), strings.Compare(a.URI, b.URI),
		strings.Compare(a.Digest["dirHash"], b.Digest["dirHash"]),
		strings.Compare(a.Digest["sha256"], b.Digest["sha256"]),
		strings.Compare(replaces(a), replaces(b)),
		slices.Compare(libraries(a), libraries(b)),
	)
}

// replacing and linkedBy are annotations: the module that a module replaces, as path@version, and
// the libraries of a component that the binary is linked with.
type (
	replacing struct {
		Replaces string `json:"replaces"`
	}
	linkedBy struct {
		Libraries []string `json:"libraries"`
	}
)

// replaces returns the module that moduleDescriptor recorded as replaced.
func replaces(d descriptor) string {
	r, _ := d.Annotations.(replacing)
	return r.Replaces
}

// libraries returns the libraries that linked found.
func libraries(d descriptor) []string {
	l, _ := d.Annotations.(linkedBy)
	return l.Libraries
}

// linked returns the libraries of a component that the binary is linked with, sorted.
func linked(libraries []sbom.Library, component string) (names []string) {
	for _, l := range libraries {
		if l.Component == component {
			names = append(names, l.Path)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// moduleDescriptor names a module as the SBOMs do, with its go.sum hash.
func moduleDescriptor(m sbom.Module) (d descriptor, err error) {
	linked := m.Linked()
	d.Name = linked.Path
	if d.URI, err = purl.Module(linked.Path, linked.Version); err != nil {
		return descriptor{}, err
	}
	if m.Replace != nil {
		d.Annotations = replacing{m.Path + "@" + m.Version}
	}
	if linked.Sum != "" {
		if d.Digest, err = dirHash(linked.Sum); err != nil {
			return descriptor{}, fmt.Errorf("module %s %s: %w", linked.Path, linked.Version, err)
		}
	}
	return d, nil
}

// dirHash returns a go.sum hash as in-toto's digest_set.md requires: in hex, without "h1:".
func dirHash(sum string) (map[string]string, error) {
	text, ok := strings.CutPrefix(sum, "h1:")
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("sum %q is not an h1 hash of go.sum", sum)
	}
	return map[string]string{"dirHash": hex.EncodeToString(raw)}, nil
}

// componentDescriptor returns base content with its SHA-256, otherwise with the dirHash of its
// files under their paths in the image.
func componentDescriptor(c tree.Component) (d descriptor, err error) {
	location := publicURL(c.DownloadLocation)
	d = descriptor{Name: c.Name, URI: cmp.Or(c.PURL, location), DownloadLocation: location}
	if c.SHA256 != "" { // the downloaded package, or an image's manifest
		d.Digest = map[string]string{"sha256": c.SHA256}
		return d, nil
	}
	if d.Digest, err = filesHash(c.Files); err != nil {
		return descriptor{}, fmt.Errorf("component %s %s: %w", c.Name, c.Version, err)
	}
	return d, nil
}

// filesHash returns the hash that golang.org/x/mod/sumdb/dirhash gives for these files,
// calculated from their digests.
func filesHash(files []tree.File) (map[string]string, error) {
	if len(files) == 0 {
		return nil, nil
	}
	files = slices.SortedFunc(slices.Values(files), func(a, b tree.File) int {
		return strings.Compare(a.Path, b.Path)
	})
	h := sha256.New()
	for _, f := range files {
		if len(f.SHA256) != hex.EncodedLen(sha256.Size) {
			return nil, fmt.Errorf("%s has no SHA-256", f.Path)
		}
		fmt.Fprintf(h, "%s  %s\n", f.SHA256, strings.TrimPrefix(f.Path, "/"))
	}
	return map[string]string{"dirHash": hex.EncodeToString(h.Sum(nil))}, nil
}
