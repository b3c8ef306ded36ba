package baseimage

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/plan"
)

// sbomTypes are the media types of attached documents that count, and the predicate types of
// attested ones.
var sbomTypes = map[string]bool{
	"application/spdx+json": true, "text/spdx": true, "text/spdx+json": true, "text/spdx+xml": true,
	"application/vnd.cyclonedx": true, "application/vnd.cyclonedx+json": true,
	"application/vnd.cyclonedx+xml": true,
	"application/vnd.syft+json":     true,
	attest.SPDXType:                 true, attest.CycloneDXType: true,
}

// maxReferrers bounds the number of referrers of an image that are read.
const maxReferrers = 100

// sboms finds the documents about an image: in its referrers, cosign's attestations (.att),
// cosign's attached documents (.sbom), and the further manifests. It lists them without checking
// their content.
func (r *remote) sboms(ctx context.Context, digest v1.Hash, further []v1.Hash) ([]plan.ImageSBOM, error) {
	referrers, err := r.repo.Referrers(ctx, digest)
	if err != nil {
		return nil, err
	}
	beside := slices.Clone(further)
	for _, d := range referrers {
		beside = append(beside, d.Digest)
	}
	beside = beside[:min(len(beside), maxReferrers)]
	tag := strings.Replace(digest.String(), ":", "-", 1)
	for _, suffix := range []string{".att", ".sbom"} {
		at, err := r.repo.Resolve(ctx, tag+suffix)
		if err != nil {
			return nil, err
		}
		if at.Hex != "" {
			beside = append(beside, at)
		}
	}
	var found []plan.ImageSBOM
	for _, d := range beside {
		raw, _, err := r.repo.Manifest(ctx, d)
		if errors.Is(err, distribution.ErrNoImage) {
			continue // a list may have entries that were removed from the registry
		}
		if err != nil {
			return nil, err
		}
		if mediaType := sbomIn(raw); mediaType != "" {
			found = append(found, plan.ImageSBOM{Reference: r.ref.Repository + "@" + d.String(),
				Digest: d.String(), MediaType: mediaType})
		}
	}
	slices.SortFunc(found, func(a, b plan.ImageSBOM) int { return strings.Compare(a.Digest, b.Digest) })
	return slices.CompactFunc(found, func(a, b plan.ImageSBOM) bool { return a.Digest == b.Digest }), nil
}

// sbomIn returns the type of the document in a manifest, by its artifact type, the annotations of
// a bundle, and its layers; empty if it is none.
func sbomIn(raw []byte) string {
	var m struct {
		ArtifactType string            `json:"artifactType"`
		Annotations  map[string]string `json:"annotations"`
		Layers       []v1.Descriptor   `json:"layers"`
	}
	if _, err := ociread.ParseImage(raw); err != nil || json.Unmarshal(raw, &m) != nil {
		return ""
	}
	type claim struct{ mediaType, predicate string }
	claims := []claim{{m.ArtifactType, m.Annotations["dev.sigstore.bundle.predicateType"]}}
	for _, l := range m.Layers {
		claims = append(claims, claim{string(l.MediaType), l.Annotations["predicateType"]},
			claim{string(l.MediaType), l.Annotations["in-toto.io/predicate-type"]})
	}
	for _, c := range claims {
		if sbomTypes[c.predicate] || sbomTypes[c.mediaType] {
			return c.mediaType
		}
	}
	return ""
}

// attestations returns the manifests that buildkit adds to an index, by the digest of the image
// that each describes.
func attestations(index *v1.IndexManifest) map[v1.Hash][]v1.Hash {
	about := map[v1.Hash][]v1.Hash{}
	for _, d := range index.Manifests {
		if d.Annotations["vnd.docker.reference.type"] != "attestation-manifest" {
			continue
		}
		if subject, err := v1.NewHash(d.Annotations["vnd.docker.reference.digest"]); err == nil {
			about[subject] = append(about[subject], d.Digest)
		}
	}
	return about
}
