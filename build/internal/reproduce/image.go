package reproduce

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/store"
)

// Image is an existing image, with everything stored about it.
type Image struct {
	// Ref is the reference that the user gave.
	Ref string
	// Evidence are the image's manifests, and what is stored about each.
	Evidence attest.Evidence
	// Named is the name that a release must not contradict; zero for a layout.
	Named attest.Reference

	from  ociread.Blobs
	close func()
}

// findImage finds an image by a tag or digest in a registry, or in an OCI layout. Close closes
// its connections.
func findImage(ctx context.Context, s *session.Session, ref string) (*Image, error) {
	if dir, ok := store.LayoutOf(s, ref); ok {
		from := ociread.Layout(dir)
		m, err := store.LayoutEvidence(ctx, dir, from)
		if err != nil {
			return nil, err
		}
		return &Image{Ref: ref, Evidence: m, from: from, close: func() {}}, nil
	}
	repo, digest, err := store.Find(ctx, s, ref, store.ToRead)
	if err != nil {
		return nil, err
	}
	m, err := store.Evidence(ctx, repo, repo.Name().Name(), digest, nil)
	if err != nil {
		repo.Close()
		return nil, err
	}
	return &Image{Ref: ref, Evidence: m, Named: store.ReferenceOf(repo, ref), from: repo,
		close: func() { repo.Close() }}, nil
}

// Close closes the image's connections.
func (i *Image) Close() { i.close() }

// provenances returns the image's provenance attestations that are signed by a trusted signer;
// at least one.
func (i *Image) provenances(ctx context.Context, trust attest.Trust) ([]attest.Attested, error) {
	root := i.Evidence.Root
	all, reasons, err := root.Stored.Attested(ctx, root.Descriptor.Digest, trust, attest.ProvenanceType)
	if err != nil {
		return nil, fmt.Errorf("reproduce %s: %w", i.Ref, err)
	}
	switch {
	case len(all) == 0 && len(reasons) == 0:
		return nil, fmt.Errorf(
			"reproduce %s: it has no provenance, so its source is not known; \"mage release\" attaches it "+
				"to an image, and to the layout in dist", i.Ref)
	case len(all) == 0:
		slices.Sort(reasons)
		return nil, fmt.Errorf(
			"reproduce %s: its provenance is not signed by the expected signer: %s; give the signer's key "+
				"with -key, or -identity, -issuer and -trustedRoot",
			i.Ref, strings.Join(slices.Compact(reasons), "; "))
	}
	return all, nil
}
