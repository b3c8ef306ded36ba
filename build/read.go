package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/store"
)

// readManifest reads a manifest.json.
func readManifest(file string) (*Manifest, error) {
	b, err := os.ReadFile(file)
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

// made returns what a manifest.json lists, with the layouts, binaries and documents in its
// folder.
func made(name, file string, m *Manifest) (compare.Build, error) {
	dir := filepath.Dir(file)
	below := func(rel string) string { return filepath.Join(dir, filepath.FromSlash(rel)) }
	b := compare.Build{Name: name}
	var err error
	if b.Plan, err = json.Marshal(m.Plan); err != nil {
		return b, fmt.Errorf("read manifest %s: %w", file, err)
	}
	for _, img := range m.Images {
		names := []string{img.Layout}
		for _, p := range img.Platforms {
			names = append(names, p.Binary.Path)
			if p.SBOM != nil {
				names = append(names, p.SBOM.SPDX, p.SBOM.CycloneDX)
			}
		}
		for _, name := range names {
			if name != "" && !filepath.IsLocal(filepath.FromSlash(name)) {
				return b, fmt.Errorf("read manifest %s: it names %q, which is not beside it", file, name)
			}
		}
		x := compare.Image{Name: img.Name, Digest: img.Digest}
		var index v1.ImageIndex
		if img.Layout != "" {
			if index, err = indexInLayout(below(img.Layout), img.Digest); err != nil {
				return b, err
			}
		}
		if index != nil {
			if x.Index, err = index.RawManifest(); err != nil {
				return b, fmt.Errorf("read layout %s: %w", below(img.Layout), err)
			}
		}
		for _, p := range img.Platforms {
			y := compare.Platform{Platform: p.Platform.String(), Digest: p.Digest, Binary: p.Binary.SHA256, Documents: map[string][]byte{}}
			for _, l := range p.Layers {
				y.Layers = append(y.Layers, compare.Layer{Name: l.Name, Digest: l.Digest})
			}
			if info, err := os.Stat(below(p.Binary.Path)); err == nil && info.Mode().IsRegular() {
				y.BinaryFile = below(p.Binary.Path)
			}
			if index != nil && p.Digest != "" {
				if y.Image, err = imageIn(index, p.Digest); err != nil {
					return b, fmt.Errorf("read layout %s: %w", below(img.Layout), err)
				}
			}
			if p.SBOM != nil {
				for kind, rel := range map[string]string{"spdx": p.SBOM.SPDX, "cyclonedx": p.SBOM.CycloneDX} {
					document, err := os.ReadFile(below(rel))
					if errors.Is(err, fs.ErrNotExist) {
						continue
					}
					if err != nil {
						return b, fmt.Errorf("read SBOM: %w", err)
					}
					y.Documents[kind] = document
				}
			}
			x.Platforms = append(x.Platforms, y)
		}
		b.Images = append(b.Images, x)
	}
	return b, nil
}

// indexInLayout returns the index with a digest. It returns nil if there is no layout or if it
// contains another image: a manifest.json is often kept alone.
func indexInLayout(dir, digest string) (v1.ImageIndex, error) {
	if !store.IsLayout(dir) {
		return nil, nil
	}
	h, err := v1.NewHash(digest)
	if err != nil {
		return nil, fmt.Errorf("read layout %s: %w", dir, err)
	}
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("read layout %s: %w", dir, err)
	}
	list, err := top.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("read layout %s: %w", dir, err)
	}
	for _, d := range list.Manifests {
		if d.Digest == h && d.MediaType.IsIndex() {
			index, err := top.ImageIndex(h)
			if err != nil {
				return nil, fmt.Errorf("read layout %s: %w", dir, err)
			}
			return index, nil
		}
	}
	return nil, nil
}

func imageIn(index v1.ImageIndex, digest string) (v1.Image, error) {
	h, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	return index.Image(h)
}
