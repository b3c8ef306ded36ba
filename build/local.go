package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/plan"
)

// The annotations by which cosign finds an index and what is stored about it in a
// layout (cosign verify --local-image).
const (
	cosignKind         = "kind"
	cosignIndex        = "dev.cosignproject.cosign/imageIndex"
	cosignSignatures   = "dev.cosignproject.cosign/sigs"
	cosignAttestations = "dev.cosignproject.cosign/atts"
)

// signLocally signs every image for its layout in the output folder, and verifies it.
func (rel *release) signLocally(ctx context.Context, units []*unit, statements map[string][]attest.Statement) error {
	rel.beside = map[string][]publish.Beside{}
	for _, img := range rel.resolved.Plan.Images {
		err := rel.stage("sign "+img.Name, func() (string, error) {
			return rel.signLayout(ctx, img, of(units, img), statements)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (rel *release) signLayout(ctx context.Context, img plan.Image, units []*unit, statements map[string][]attest.Statement) (string, error) {
	subjects, err := rel.subjects(img.Name, img, units, statements)
	if err != nil {
		return "", err
	}
	for i := range subjects {
		if subjects[i].Stored, err = storedInLayout(filepath.Join(rel.dist, "oci", img.Name), subjects[i].Descriptor.Digest); err != nil {
			return "", err
		}
	}
	signed, err := attest.Sign(ctx, rel.signer, subjects, rel.signOptions(rel.resolved.Plan.Created()))
	if err != nil {
		return "", err
	}
	m := attest.Material{Name: img.Name}
	made := 0
	for i, s := range signed {
		made += s.Made
		rel.beside[img.Name] = append(rel.beside[img.Name], storedBeside(s, i == 0)...)
		manifest := attest.Manifest{Descriptor: subjects[i].Descriptor, Stored: s.Stored}
		if i == 0 {
			if manifest.Raw, err = rel.indexes[img.Name].RawManifest(); err != nil {
				return "", err
			}
			m.Root = manifest
			continue
		}
		if manifest.Raw, err = units[i-1].built.RawManifest(); err != nil {
			return "", err
		}
		m.Children = append(m.Children, manifest)
	}
	report, err := attest.Verify(ctx, m, rel.policy(img, units))
	if err != nil {
		return "", refusal(report, err)
	}
	rel.record("", report)
	if made == 0 {
		return "up to date", nil
	}
	return count(made, "signature"), nil
}

// storedBeside is what lies in the layout about a digest. cosign looks for what is
// about the index, and for no more than one of a kind.
func storedBeside(s attest.Signed, index bool) []publish.Beside {
	var all []publish.Beside
	for _, b := range s.Stored.Bundles {
		all = append(all, publish.Beside{Image: b})
	}
	for _, tagged := range []struct {
		img       v1.Image
		tag, kind string
	}{
		{s.Stored.Signatures, attest.SignatureTag(s.Digest), cosignSignatures},
		{s.Stored.Attestations, attest.AttestationTag(s.Digest), cosignAttestations},
	} {
		if tagged.img == nil {
			continue
		}
		annotations := map[string]string{imagespec.AnnotationRefName: tagged.tag}
		if index {
			annotations[cosignKind] = tagged.kind
		}
		all = append(all, publish.Beside{Image: tagged.img, Annotations: annotations})
	}
	return all
}

// storedInLayout reads what a layout has about a digest; nothing where there is no
// layout yet.
func storedInLayout(dir string, digest v1.Hash) (attest.Stored, error) {
	var s attest.Stored
	index, err := layout.ImageIndexFromPath(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read layout %s: %w", dir, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return s, fmt.Errorf("read layout %s: %w", dir, err)
	}
	for _, d := range manifest.Manifests {
		if !d.MediaType.IsImage() {
			continue
		}
		img, err := index.Image(d.Digest)
		if err != nil {
			return s, fmt.Errorf("read layout %s: %w", dir, err)
		}
		switch d.Annotations[imagespec.AnnotationRefName] {
		case attest.SignatureTag(digest):
			s.Signatures = img
		case attest.AttestationTag(digest):
			s.Attestations = img
		default:
			raw, err := img.RawManifest()
			if err != nil {
				return s, fmt.Errorf("read layout %s: %w", dir, err)
			}
			var m struct {
				ArtifactType string         `json:"artifactType"`
				Subject      *v1.Descriptor `json:"subject"`
			}
			if json.Unmarshal(raw, &m) == nil && m.ArtifactType == attest.BundleType && m.Subject != nil && m.Subject.Digest == digest {
				s.Bundles = append(s.Bundles, img)
			}
		}
	}
	return s, nil
}
