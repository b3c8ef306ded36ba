package registry

import (
	"context"
	"errors"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Referrers returns the descriptors of the manifests that have digest as subject, at most
// [MaxReferrers], sorted by digest: from the API, else from the fallback tag. The registry or
// another client wrote a descriptor's artifactType and annotations (go-containerregistry's
// registry writes the configuration's type into artifactType). So read the manifest before a
// decision depends on them.
func (r *Repository) Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	listed, support, err := r.referrers.native(ctx, digest, MaxReferrers)
	if err == nil && support != ReferrersNative {
		if _, listed, err = r.referrers.fallback(ctx, digest, MaxReferrers); errors.Is(err, errNoList) {
			listed, err = nil, nil // it names no referrer
		}
	}
	if err != nil {
		return nil, r.client.Explain(ctx, "list the referrers of", digest.String(), err)
	}
	listed = sorted(listed)
	return listed[:min(len(listed), MaxReferrers)], nil
}

// Unlisted returns why the registry did not list referrers, if its refusal may mean more than a
// missing API: then there may be referrers that are not under the fallback tag. It is nil
// otherwise.
func (r *Repository) Unlisted() error {
	if refused := r.referrers.unlisted.Load(); refused != nil {
		return refused
	}
	return nil
}
