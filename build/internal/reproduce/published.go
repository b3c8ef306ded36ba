package reproduce

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/plan"
)

// Published returns the existing image as the first of two builds, and notes for the report.
// Its documents are those that a trusted signer has signed. again is the plan by which it is
// built again.
func (i *Image) Published(ctx context.Context, trust attest.Trust, p *Provenance,
	again *plan.Plan) (compare.Build, []string, error) {
	b := compare.Build{Name: i.Ref}
	var notes []string
	var err error
	if b.Plan, err = json.Marshal(again); err != nil {
		return b, nil, err
	}
	x := compare.Image{Name: p.Image}
	children := []attest.Manifest{i.Evidence.Root}
	if root := i.Evidence.Root; root.Descriptor.MediaType.IsIndex() {
		x.Digest, x.Index, children = root.Descriptor.Digest.String(), root.Raw, i.Evidence.Children
	}
	for _, child := range children {
		platform := p.Platforms[0]
		if d := child.Descriptor; x.Index != nil {
			if d.Platform == nil {
				notes = append(notes, fmt.Sprintf("%s of the index has no platform and was not compared",
					d.Digest))
				continue
			}
			// As in an image: os/arch/variant, without the version of an OS.
			parsed, err := plan.ParsePlatform(strings.Trim(path.Join(d.Platform.OS, d.Platform.Architecture,
				d.Platform.Variant), "/"))
			if err != nil {
				return b, nil, fmt.Errorf("read %s: %w", i.Ref, err)
			}
			platform = parsed.String()
		}
		y, err := i.platform(ctx, trust, child, platform)
		if err != nil {
			return b, nil, err
		}
		x.Platforms = append(x.Platforms, y)
	}
	b.Images = []compare.Image{x}
	return b, notes, nil
}

// platform returns the image for one platform, with its documents.
func (i *Image) platform(ctx context.Context, trust attest.Trust, m attest.Manifest,
	platform string) (compare.Platform, error) {
	digest := m.Descriptor.Digest
	y := compare.Platform{Platform: platform, Digest: digest.String(), Documents: map[string][]byte{}}
	var err error
	if y.Image, err = ociread.Stream(ctx, i.from, m.Raw, m.Descriptor.MediaType); err != nil {
		return y, fmt.Errorf("read %s: %w", i.Ref, distribution.Plain(err))
	}
	for kind, predicateType := range map[string]string{"spdx": attest.SPDXType,
		"cyclonedx": attest.CycloneDXType} {
		documents, _, err := m.Stored.Attested(ctx, digest, trust, predicateType)
		if err != nil {
			return y, err
		}
		if len(documents) == 0 {
			continue
		}
		if y.Documents[kind], err = compact(documents[0].Predicate); err != nil {
			return y, err
		}
	}
	return y, nil
}
