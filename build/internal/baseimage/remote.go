package baseimage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/plan"
)

// remote is a repository of a registry.
type remote struct {
	repo *registry.Repository
	ref  Reference
}

func (r *remote) close() { r.repo.Close() }

func (r *remote) root(ctx context.Context) ([]byte, types.MediaType, error) {
	digest := r.ref.Digest
	if r.ref.Tag != "" {
		var err error
		if digest, err = r.repo.Resolve(ctx, r.ref.Tag); err != nil {
			return nil, "", err
		}
		if digest.Hex == "" {
			return nil, "", fmt.Errorf("%s has no tag %s", r.ref.Repository, r.ref.Tag)
		}
	}
	raw, d, err := r.repo.Manifest(ctx, digest)
	return raw, d.MediaType, err
}

func (r *remote) manifest(ctx context.Context, digest v1.Hash) ([]byte, error) {
	raw, _, err := r.repo.Manifest(ctx, digest)
	return raw, err
}

func (r *remote) blob(ctx context.Context, digest v1.Hash, to cache.Sink) error {
	return r.repo.Blob(ctx, digest, to)
}

// sbomTypes are the media types of the documents that count, under which they are
// attached, and the predicate types under which they are attested.
var sbomTypes = map[string]string{
	"application/spdx+json": "", "text/spdx": "", "text/spdx+json": "",
	"application/vnd.cyclonedx+json": "", "application/vnd.cyclonedx": "", "application/vnd.syft+json": "",
	attest.SPDXType: attest.BundleType, attest.CycloneDXType: attest.BundleType,
}

// maxReferrers bounds how many referrers of an image are looked at.
const maxReferrers = 100

// sboms looks for what is said of an image: its referrers, cosign's attestations (.att)
// and cosign's attached documents (.sbom). They are named, not judged.
func (r *remote) sboms(ctx context.Context, digest v1.Hash) ([]plan.ImageSBOM, error) {
	var found []plan.ImageSBOM
	add := func(d v1.Hash, mediaType string) {
		found = append(found, plan.ImageSBOM{Reference: r.ref.Repository + "@" + d.String(), Digest: d.String(), MediaType: mediaType})
	}
	referrers, err := r.repo.Referrers(ctx, digest)
	if err != nil {
		return nil, err
	}
	for _, d := range referrers[:min(len(referrers), maxReferrers)] {
		raw, _, err := r.repo.Manifest(ctx, d.Digest)
		if err != nil {
			return nil, err
		}
		if mediaType := sbomIn(raw); mediaType != "" {
			add(d.Digest, mediaType)
		}
	}
	tag := strings.Replace(digest.String(), ":", "-", 1)
	for _, suffix := range []string{".att", ".sbom"} {
		at, err := r.repo.Resolve(ctx, tag+suffix)
		if err != nil {
			return nil, err
		}
		if at.Hex == "" {
			continue
		}
		raw, _, err := r.repo.Manifest(ctx, at)
		if err != nil {
			return nil, err
		}
		if mediaType := sbomIn(raw); mediaType != "" {
			add(at, mediaType)
		}
	}
	slices.SortFunc(found, func(a, b plan.ImageSBOM) int { return strings.Compare(a.Digest, b.Digest) })
	return slices.CompactFunc(found, func(a, b plan.ImageSBOM) bool { return a.Digest == b.Digest }), nil
}

// sbomIn says what document a manifest holds, going by its artifact type, the
// annotations of a bundle, and its layers; empty if it is none.
func sbomIn(raw []byte) string {
	var m struct {
		ArtifactType string            `json:"artifactType"`
		Annotations  map[string]string `json:"annotations"`
		Layers       []v1.Descriptor   `json:"layers"`
	}
	if json.NewDecoder(bytes.NewReader(raw)).Decode(&m) != nil {
		return ""
	}
	type claim struct{ mediaType, predicate string }
	claims := []claim{{m.ArtifactType, m.Annotations["dev.sigstore.bundle.predicateType"]}}
	for _, l := range m.Layers {
		claims = append(claims, claim{string(l.MediaType), l.Annotations["predicateType"]},
			claim{string(l.MediaType), l.Annotations["in-toto.io/predicate-type"]})
	}
	for _, c := range claims {
		if _, ok := sbomTypes[c.predicate]; ok && c.predicate != "" {
			return c.mediaType
		}
		if _, ok := sbomTypes[c.mediaType]; ok {
			return c.mediaType
		}
	}
	return ""
}
