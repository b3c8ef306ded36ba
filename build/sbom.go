package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"

	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/plan"
)

// Document is the SBOM of one image for one platform, from the output folder.
type Document struct {
	Image    string
	Platform plan.Platform
	// SPDX and CycloneDX are the bytes of the documents.
	SPDX, CycloneDX []byte
	// Components are those of the CycloneDX document.
	Components []Component
}

// Component is one line of an SBOM. License is an SPDX expression; "" if unknown.
type Component struct{ Name, Version, License string }

// SBOMs reads the SBOMs in the output folder. The error is fs.ErrNotExist when no image was
// made yet.
func SBOMs(ctx context.Context, o Options) ([]Document, error) {
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	none := fmt.Errorf("read the SBOMs: %s has no image yet; make one with \"mage image\": %w", s.Config.Dist, fs.ErrNotExist)
	dist, err := distfolder.Open(s.Dist, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, none
	}
	if err != nil {
		return nil, fmt.Errorf("read the SBOMs: %w", err)
	}
	defer dist.Close() // only read
	m, err := readManifest(dist, manifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, none
	}
	if err != nil {
		return nil, fmt.Errorf("read the SBOMs: %w", err)
	}
	var documents []Document
	for _, img := range m.Images {
		for _, p := range img.Platforms {
			if p.SBOM == nil {
				continue
			}
			d := Document{Image: img.Name, Platform: p.Platform}
			if d.SPDX, err = dist.Read(p.SBOM.SPDX, distfolder.MaxDocument); err != nil {
				return nil, fmt.Errorf("read the SBOMs: %w", err)
			}
			if d.CycloneDX, err = dist.Read(p.SBOM.CycloneDX, distfolder.MaxDocument); err != nil {
				return nil, fmt.Errorf("read the SBOMs: %w", err)
			}
			if d.Components, err = listComponents(d.CycloneDX); err != nil {
				return nil, fmt.Errorf("read the SBOMs: %s: %w", p.SBOM.CycloneDX, err)
			}
			documents = append(documents, d)
		}
	}
	if len(documents) == 0 {
		return nil, none
	}
	return documents, nil
}

func listComponents(document []byte) ([]Component, error) {
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(document), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return nil, err
	}
	if bom.Components == nil {
		return nil, nil
	}
	var list []Component
	for _, c := range *bom.Components {
		item := Component{Name: c.Name, Version: c.Version}
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
