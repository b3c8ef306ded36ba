package store

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/registry"
)

// Artifacts returns the manifests to attach for the results of attest.Sign for the subjects,
// and how many new signatures they contain.
func Artifacts(subjects []attest.Subject, signed []attest.Signed) (
	all []registry.Artifact, made int, err error) {
	for i, s := range signed {
		made += s.Made
		for _, b := range s.Bundles {
			all = append(all, registry.Artifact{Image: b})
		}
		for _, tagged := range []struct {
			img, before v1.Image
			tag         string
		}{
			{s.Signatures, subjects[i].Stored.Signatures, attest.SignatureTag(s.Digest)},
			{s.Attestations, subjects[i].Stored.Attestations, attest.AttestationTag(s.Digest)},
		} {
			if tagged.img == nil {
				continue
			}
			a := registry.Artifact{Image: tagged.img, Tag: tagged.tag}
			if tagged.before != nil {
				if a.Replaces, err = tagged.before.Digest(); err != nil {
					return nil, 0, err
				}
			}
			all = append(all, a)
		}
	}
	return all, made, nil
}
