package release

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/plan"
)

// The annotations by which cosign finds an index and its signatures in a layout (cosign verify
// --local-image).
const (
	cosignKind         = "kind"
	cosignIndex        = "dev.cosignproject.cosign/imageIndex"
	cosignSignatures   = "dev.cosignproject.cosign/sigs"
	cosignAttestations = "dev.cosignproject.cosign/atts"
)

// Layout is an image that is signed for its layout in the output folder.
type Layout struct {
	// Image is the image's name.
	Image string
	// Annotations are those of the index in the layout. Referrers are the signatures and
	// statements.
	Annotations map[string]string
	Referrers   []publish.Referrer

	image    Image
	subjects []attest.Subject
}

// SignLayouts signs every image for its layout in the output folder. It does not make again
// what is already complete in the layout.
func SignLayouts(ctx context.Context, s *session.Session, p *plan.Plan, signer signing.Signer,
	images []Image) ([]Layout, error) {
	var all []Layout
	for _, img := range images {
		err := s.Stage("sign "+img.Name, func() (string, error) {
			l, made, err := signLayout(ctx, s, p, signer, img)
			if err != nil {
				return "", err
			}
			all = append(all, l)
			if made == 0 {
				return "up to date", nil
			}
			return progress.Count(made, "signature"), nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// signLayout signs one image, and counts the new signatures.
func signLayout(ctx context.Context, s *session.Session, p *plan.Plan, signer signing.Signer,
	img Image) (l Layout, made int, err error) {
	l = Layout{Image: img.Name, Annotations: map[string]string{cosignKind: cosignIndex}, image: img}
	if l.subjects, err = img.subjects(img.Name, img.Tags); err != nil {
		return l, 0, err
	}
	noticed := ""
	again := func(err error) {
		if text := fmt.Sprintf("%s is signed again: %v", img.Name, err); text != noticed {
			noticed = text
			s.Progress.Notice(text)
		}
	}
	there, err := store.OpenReferrers(ctx, filepath.Join(s.Dist, "oci", img.Name))
	if err != nil {
		again(err)
	}
	for i := range l.subjects {
		if there == nil {
			break
		}
		if l.subjects[i].Stored, err = there.Complete(ctx, l.subjects[i].Descriptor.Digest); err != nil {
			again(err)
			l.subjects[i].Stored = attest.Stored{}
		}
	}
	signed, err := attest.Sign(ctx, signer.Signer, l.subjects, signer.Options(p.Created()))
	if err != nil {
		return l, 0, err
	}
	for i, of := range signed {
		made += of.Made
		l.Referrers = append(l.Referrers, storedReferrers(of.Digest, storedThen(of), i == 0)...)
	}
	return l, made, nil
}

// VerifyLayouts reads every layout as it is written, partly still from the stage, and verifies
// that everything in the plan is there.
func VerifyLayouts(ctx context.Context, s *session.Session, p *plan.Plan, signer signing.Signer,
	dist *publish.Dist, layouts []Layout) (Receipt, error) {
	var receipt Receipt
	for _, l := range layouts {
		err := s.Stage("verify "+path.Join(s.Config.Dist, "oci", l.Image), func() (string, error) {
			report, err := l.verify(ctx, s, policy(p, signer, l.image, l.subjects), dist)
			if err != nil {
				return "", err
			}
			receipt = receipt.with("", report)
			return progress.Count(len(report.Checks), "check"), nil
		})
		if err != nil {
			return Receipt{}, err
		}
	}
	return receipt, nil
}

// verify reads and verifies one layout.
func (l Layout) verify(ctx context.Context, s *session.Session, policy attest.Policy,
	dist *publish.Dist) (attest.Report, error) {
	name := path.Join("oci", l.Image)
	from := ociread.Layout(dist.Folders(name)...)
	m, err := store.LayoutEvidence(ctx, filepath.Join(s.Dist, filepath.FromSlash(name)), from)
	if err != nil {
		return attest.Report{}, err
	}
	m.Name = l.Image
	policy.Content = func(ctx context.Context, of v1.Descriptor) error {
		return store.CheckContent(ctx, from, m.Find(of.Digest))
	}
	report, err := attest.Verify(ctx, m, policy)
	return report, report.Refusal(err)
}

// storedThen returns what the layout will contain about a digest: existing and new manifests.
func storedThen(s attest.Signed) attest.Stored {
	then := s.Found
	then.Bundles = append(slices.Clone(then.Bundles), s.Bundles...)
	if s.Signatures != nil {
		then.Signatures = s.Signatures
	}
	if s.Attestations != nil {
		then.Attestations = s.Attestations
	}
	return then
}

// storedReferrers returns what the layout contains about a digest. cosign reads only what is
// about the index, and only one of each kind.
func storedReferrers(digest v1.Hash, stored attest.Stored, index bool) []publish.Referrer {
	var all []publish.Referrer
	for _, b := range stored.Bundles {
		all = append(all, publish.Referrer{Image: b})
	}
	for _, tagged := range []struct {
		img       v1.Image
		tag, kind string
	}{
		{stored.Signatures, attest.SignatureTag(digest), cosignSignatures},
		{stored.Attestations, attest.AttestationTag(digest), cosignAttestations},
	} {
		if tagged.img == nil {
			continue
		}
		annotations := map[string]string{imagespec.AnnotationRefName: tagged.tag}
		if index {
			annotations[cosignKind] = tagged.kind
		}
		all = append(all, publish.Referrer{Image: tagged.img, Annotations: annotations})
	}
	return all
}
