package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/internal/limit"
)

// manifestName is the name of the manifest in an output folder.
const manifestName = "manifest.json"

// The limits for a manifest.json, in bytes and in values. That of a release of one image for two
// platforms has 14 KB and 240 values; each further image for a platform adds 5 KB and 90 values.
const (
	maxManifest      = 16 << 20
	maxManifestParts = 300_000
)

// readManifest reads a manifest.json in an output folder, which need not be trusted.
func readManifest(dir *distfolder.Folder, file string) (*Manifest, error) {
	b, err := dir.Read(file, maxManifest)
	if err == nil {
		err = limit.Parts(b, maxManifestParts)
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", file, err)
	}
	if m.Plan == nil || len(m.Images) == 0 {
		return nil, fmt.Errorf("read manifest %s: it has no plan and no images, as dist/manifest.json has", file)
	}
	return &m, nil
}

// made returns what a manifest.json lists, with the layouts, binaries and documents in its output
// folder. Layers are read until ctx ends.
func made(ctx context.Context, name string, dir *distfolder.Folder, m *Manifest) (compare.Build, error) {
	b := compare.Build{Name: name}
	fail := func(err error) (compare.Build, error) { return b, fmt.Errorf("read %s: %w", name, err) }
	var err error
	if b.Plan, err = json.Marshal(m.Plan); err != nil {
		return fail(err)
	}
	for _, img := range m.Images {
		x := compare.Image{Name: img.Name, Digest: img.Digest}
		var index *distfolder.Index
		if img.Layout != "" {
			if index, err = dir.Index(img.Layout, img.Digest); err != nil {
				return fail(err)
			}
		}
		if index != nil {
			x.Index = index.Raw
		}
		for _, p := range img.Platforms {
			y, err := madePlatform(ctx, dir, index, p)
			if err != nil {
				return fail(err)
			}
			x.Platforms = append(x.Platforms, y)
		}
		b.Images = append(b.Images, x)
	}
	return b, nil
}

// madePlatform returns the image for one platform; index may be nil.
func madePlatform(ctx context.Context, dir *distfolder.Folder, index *distfolder.Index, p PlatformResult) (compare.Platform, error) {
	y := compare.Platform{Platform: p.Platform.String(), Digest: p.Digest, Binary: p.Binary.SHA256, Documents: map[string][]byte{}}
	for _, l := range p.Layers {
		y.Layers = append(y.Layers, compare.Layer{Name: l.Name, Digest: l.Digest})
	}
	if p.Binary.Path != "" {
		open := func() (*os.File, error) { return dir.Open(p.Binary.Path) }
		f, err := open()
		if err == nil {
			y.OpenBinary = open
			err = f.Close()
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
		document, err := dir.Read(file, distfolder.MaxDocument)
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
