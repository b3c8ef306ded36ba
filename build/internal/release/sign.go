package release

import (
	"context"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/plan"
)

// Signed is an upload with all statements about it.
type Signed struct {
	upload   Upload
	image    Image
	subjects []attest.Subject
	// read is what was read from the repository about each digest after the push, if nothing
	// was missing: that need not be read again. After a write it is nil.
	read map[v1.Hash]attest.Stored
}

// Sign signs each pushed image and all of its platforms, and attaches the signatures and
// statements. It does not make again what already exists.
func Sign(ctx context.Context, s *session.Session, p *plan.Plan, signer signing.Signer, uploads Uploads,
	images []Image) ([]Signed, error) {
	var all []Signed
	for _, u := range uploads {
		for _, img := range images {
			if img.Name != u.Image {
				continue
			}
			signed := Signed{upload: u, image: img}
			var tags []string
			for _, t := range u.Tags {
				tags = append(tags, t.Name)
			}
			var err error
			if signed.subjects, err = img.subjects(u.Name, tags); err != nil {
				return nil, err
			}
			err = s.Stage("sign "+u.Name, func() (outcome string, err error) {
				outcome, signed.read, err = attach(ctx, u, signed.subjects, signer.Signer,
					signer.Options(p.Created()))
				return outcome, err
			})
			if err != nil {
				return nil, err
			}
			all = append(all, signed)
		}
	}
	return all, nil
}

// attach signs the subjects and attaches what is missing. read is what it has read about each,
// if nothing was missing.
func attach(ctx context.Context, u Upload, subjects []attest.Subject, signer *attest.Signer,
	o attest.Options) (outcome string, read map[v1.Hash]attest.Stored, err error) {
	subjects = slices.Clone(subjects)
	var g errgroup.Group
	of := store.NewBudget()
	for i := range subjects {
		g.Go(func() (err error) {
			subjects[i].Stored, err = store.Stored(ctx, u.repo, subjects[i].Descriptor.Digest, of)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return "", nil, err
	}
	signed, err := attest.Sign(ctx, signer, subjects, o)
	if err != nil {
		return "", nil, err
	}
	missing, made, err := store.Artifacts(subjects, signed)
	if err != nil {
		return "", nil, err
	}
	if len(missing) > 0 {
		outcome := progress.Count(made, "signature")
		if made == 0 { // they are stored in the other form
			outcome = "completed"
		}
		return outcome, nil, u.repo.Attach(ctx, missing)
	}
	read = map[v1.Hash]attest.Stored{}
	for _, s := range signed {
		read[s.Digest] = s.Found
	}
	return "up to date", read, nil
}
