package distfolder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/report"
)

// ManifestName is the name of the manifest in an output folder.
const ManifestName = "manifest.json"

// The limits for a manifest.json, in bytes and in values. That of a release of one image for two
// platforms has 14 KB and 240 values; each further image for a platform adds 5 KB and 90 values.
const (
	maxManifest      = 16 << 20
	maxManifestParts = 300_000
)

// Manifest reads a manifest.json in the folder.
func (f *Folder) Manifest(file string) (*report.Manifest, error) {
	b, err := f.Read(file, maxManifest)
	if err == nil {
		err = limit.Parts(b, maxManifestParts)
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var m report.Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", file, err)
	}
	if m.Plan == nil || len(m.Images) == 0 {
		return nil, fmt.Errorf(
			"read manifest %s: it has no plan and no images, so it is not a manifest such as "+
				"dist/manifest.json", file)
	}
	return &m, nil
}

// Build returns what a manifest.json lists, with the layouts, binaries and documents in the folder.
// name is that of the build in the comparison. Layers are read until ctx ends.
func (f *Folder) Build(ctx context.Context, name string, m *report.Manifest) (compare.Build, error) {
	b := compare.Build{Name: name}
	fail := func(err error) (compare.Build, error) { return b, fmt.Errorf("read %s: %w", name, err) }
	var err error
	if b.Plan, err = json.Marshal(m.Plan); err != nil {
		return fail(err)
	}
	for _, img := range m.Images {
		x := compare.Image{Name: img.Name, Digest: img.Digest}
		var index *Index
		if img.Layout != "" {
			if index, err = f.Index(img.Layout, img.Digest); err != nil {
				return fail(err)
			}
		}
		if index != nil {
			x.Index = index.Raw
		}
		for _, p := range img.Platforms {
			y, err := f.platform(ctx, index, p)
			if err != nil {
				return fail(err)
			}
			x.Platforms = append(x.Platforms, y)
		}
		b.Images = append(b.Images, x)
	}
	return b, nil
}

// platform returns the image for one platform; index may be nil.
func (f *Folder) platform(ctx context.Context, index *Index,
	p report.PlatformResult) (compare.Platform, error) {
	y := compare.Platform{Platform: p.Platform.String(), Digest: p.Digest, Binary: p.Binary.SHA256,
		Documents: map[string][]byte{}}
	for _, further := range p.Programs {
		y.Further = append(y.Further, further.SHA256)
	}
	for _, l := range p.Layers {
		y.Layers = append(y.Layers, compare.Layer{Name: l.Name, Digest: l.Digest})
	}
	if p.Binary.Path != "" {
		open := func() (*os.File, error) { return f.Open(p.Binary.Path) }
		binary, err := open()
		if err == nil {
			y.OpenBinary = open
			err = binary.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return y, fmt.Errorf("read the binary: %w", err)
		}
	}
	if index != nil && p.Digest != "" {
		var err error
		if y.Image, err = index.Image(ctx, p.Digest); err != nil {
			return y, err
		}
	}
	if p.SBOM == nil {
		return y, nil
	}
	for kind, file := range map[string]string{"spdx": p.SBOM.SPDX, "cyclonedx": p.SBOM.CycloneDX} {
		if file == "" {
			continue
		}
		document, err := f.Read(file, MaxDocument)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return y, fmt.Errorf("read SBOM: %w", err)
		}
		y.Documents[kind] = document
	}
	return y, nil
}
