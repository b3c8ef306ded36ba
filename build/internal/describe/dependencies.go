package describe

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

var commit = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// sourceDescriptor returns the source's commit, SHA-1 or SHA-256; nil if neither commit nor
// repository is known.
func sourceDescriptor(p *plan.Plan) (*intoto.ResourceDescriptor, error) {
	s := gitSource(p.Source, p.Revision)
	if p.Revision == "" && s.repository == "" {
		return nil, nil
	}
	d := &intoto.ResourceDescriptor{Name: "source", Uri: s.location()}
	if p.Revision != "" {
		if !commit.MatchString(p.Revision) {
			return nil, fmt.Errorf("revision %q is not the full hash of a commit", p.Revision)
		}
		d.Digest = map[string]string{"gitCommit": p.Revision}
	}
	if p.Dirty { // the digest does not cover all changes
		d.Annotations = &structpb.Struct{Fields: map[string]*structpb.Value{"dirty": structpb.NewBoolValue(true)}}
	}
	return d, nil
}

// dependencies returns the toolchain, the linked modules and the base content of all images
// together, sorted. The main module is left out, because it is the source. So is a module that a
// folder of the source replaces, which has no digest.
func dependencies(in ProvenanceInput) ([]*intoto.ResourceDescriptor, error) {
	toolchain, err := toolchainDescriptor(in)
	if err != nil {
		return nil, err
	}
	var all []*intoto.ResourceDescriptor
	for _, i := range in.Images {
		for _, m := range append([]Module{i.Std}, i.Modules...) {
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
			d.Annotations = linked(i.Libraries, c.Name)
			all = append(all, d)
		}
	}
	slices.SortFunc(all, compareDescriptors)
	all = slices.CompactFunc(all, func(a, b *intoto.ResourceDescriptor) bool { return compareDescriptors(a, b) == 0 })
	return slices.Insert(all, 0, toolchain), nil
}

func compareDescriptors(a, b *intoto.ResourceDescriptor) int {
	return cmp.Or(
		strings.Compare(a.Name, b.Name), strings.Compare(a.Uri, b.Uri),
		strings.Compare(a.Digest["dirHash"], b.Digest["dirHash"]), strings.Compare(a.Digest["sha256"], b.Digest["sha256"]),
		strings.Compare(a.Annotations.GetFields()["replaces"].GetStringValue(), b.Annotations.GetFields()["replaces"].GetStringValue()),
		slices.Compare(libraries(a), libraries(b)),
	)
}

// libraries returns the libraries that linked recorded.
func libraries(d *intoto.ResourceDescriptor) (paths []string) {
	for _, v := range d.Annotations.GetFields()["libraries"].GetListValue().GetValues() {
		paths = append(paths, v.GetStringValue())
	}
	return paths
}

// linked returns the libraries of a component that the binary is linked with, as the annotation
// of the component; nil if there are none.
func linked(libraries []Library, component string) *structpb.Struct {
	var names []string
	for _, l := range libraries {
		if l.Component == component {
			names = append(names, l.Path)
		}
	}
	if names == nil {
		return nil
	}
	var paths []*structpb.Value
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		paths = append(paths, structpb.NewStringValue(name))
	}
	return &structpb.Struct{Fields: map[string]*structpb.Value{"libraries": structpb.NewListValue(&structpb.ListValue{Values: paths})}}
}

// toolchainDescriptor returns the module of the toolchain, otherwise the version under its name
// in go.mod.
func toolchainDescriptor(in ProvenanceInput) (*intoto.ResourceDescriptor, error) {
	m := in.Toolchain
	if m.Path == "" {
		m = Module{Path: "toolchain", Version: in.Plan.Toolchain.Version}
	}
	d, err := moduleDescriptor(m)
	if err != nil {
		return nil, err
	}
	d.Name = "toolchain"
	return d, nil
}

// moduleDescriptor names a module as the SBOMs do, with its go.sum hash.
func moduleDescriptor(m Module) (*intoto.ResourceDescriptor, error) {
	it, err := moduleItem(m)
	if err != nil {
		return nil, err
	}
	sum := m.Sum
	d := &intoto.ResourceDescriptor{Name: it.name, Uri: it.purl}
	if m.Replace != nil {
		sum = m.Replace.Sum
		if isFolder(*m.Replace) {
			sum = ""
		}
		d.Annotations = &structpb.Struct{Fields: map[string]*structpb.Value{
			"replaces": structpb.NewStringValue(m.Path + "@" + m.Version),
		}}
	}
	if sum != "" {
		if d.Digest, err = dirHash(sum); err != nil {
			return nil, fmt.Errorf("module %s %s: %w", it.name, it.version, err)
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
func componentDescriptor(c tree.Component) (*intoto.ResourceDescriptor, error) {
	it := componentItem(c)
	d := &intoto.ResourceDescriptor{Name: it.name, Uri: it.purl, DownloadLocation: publicURL(it.location)}
	if d.Uri == "" {
		d.Uri = d.DownloadLocation
	}
	if it.sha256 != "" { // the downloaded package, or an image's manifest
		d.Digest = map[string]string{"sha256": it.sha256}
		return d, nil
	}
	sum, err := filesHash(it.files)
	if err != nil {
		return nil, fmt.Errorf("component %s %s: %w", it.name, it.version, err)
	}
	d.Digest = sum
	return d, nil
}

// filesHash returns the hash that golang.org/x/mod/sumdb/dirhash gives for these files,
// calculated from their digests. Files are sorted by path.
func filesHash(files []file) (map[string]string, error) {
	if len(files) == 0 {
		return nil, nil
	}
	h := sha256.New()
	for _, f := range files {
		if len(f.sha256) != hex.EncodedLen(sha256.Size) {
			return nil, fmt.Errorf("%s has no SHA-256", f.path)
		}
		fmt.Fprintf(h, "%s  %s\n", f.sha256, strings.TrimPrefix(f.path, "/"))
	}
	return map[string]string{"dirHash": hex.EncodeToString(h.Sum(nil))}, nil
}

// publicURL returns a URL without credentials, query and fragment; empty if it is not a web URL.
func publicURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
