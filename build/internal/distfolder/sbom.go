package distfolder

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"

	"github.com/thimble-build/thimble/build/report"
)

// ReadSBOMs reads the SBOMs of an output folder. The error is fs.ErrNotExist if no image was made
// yet. shown is the folder's name for a reader.
func ReadSBOMs(path, shown string) ([]report.Document, error) {
	none := fmt.Errorf("read the SBOMs: %s has no image yet; make one with \"mage image\": %w",
		shown, fs.ErrNotExist)
	dist, err := Open(path, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, none
	}
	if err != nil {
		return nil, fmt.Errorf("read the SBOMs: %w", err)
	}
	defer dist.Close() // only read
	m, err := dist.Manifest(ManifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, none
	}
	if err != nil {
		return nil, fmt.Errorf("read the SBOMs: %w", err)
	}
	documents, err := dist.SBOMs(m)
	if err != nil {
		return nil, fmt.Errorf("read the SBOMs: %w", err)
	}
	if len(documents) == 0 {
		return nil, none
	}
	return documents, nil
}

// SBOMs reads the SBOMs that a manifest.json lists.
func (f *Folder) SBOMs(m *report.Manifest) ([]report.Document, error) {
	var documents []report.Document
	for _, img := range m.Images {
		for _, p := range img.Platforms {
			if p.SBOM == nil {
				continue
			}
			d := report.Document{Image: img.Name, Platform: p.Platform}
			var err error
			if d.SPDX, err = f.Read(p.SBOM.SPDX, MaxDocument); err != nil {
				return nil, err
			}
			if d.CycloneDX, err = f.Read(p.SBOM.CycloneDX, MaxDocument); err != nil {
				return nil, err
			}
			if d.Components, err = listComponents(d.CycloneDX); err != nil {
				return nil, fmt.Errorf("%s: %w", p.SBOM.CycloneDX, err)
			}
			documents = append(documents, d)
		}
	}
	return documents, nil
}

func listComponents(document []byte) ([]report.Component, error) {
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(document),
		cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return nil, err
	}
	if bom.Components == nil {
		return nil, nil
	}
	var list []report.Component
	for _, c := range *bom.Components {
		item := report.Component{Name: c.Name, Version: c.Version}
		if c.Licenses != nil && len(*c.Licenses) > 0 {
			first := (*c.Licenses)[0]
			item.License = first.Expression
			if first.License != nil {
				item.License = first.License.ID
			}
		}
		list = append(list, item)
	}
	return list, nil
}
