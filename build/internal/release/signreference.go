package release

import (
	"cmp"
	"context"
	"time"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
)

// SignReference signs an image in a registry, named by its digest, and the image of each platform,
// and attaches the signatures. It returns how many were made. within limits how long the existing
// ones are read.
func SignReference(ctx context.Context, s *session.Session, ref string, within time.Duration) (int, error) {
	reading, read, done := store.Reading(ctx, "sign "+ref, within)
	defer done()
	repo, digest, err := store.Find(reading, s, ref, store.ToSign)
	if err != nil {
		return 0, cmp.Or(context.Cause(reading), err)
	}
	defer repo.Close()
	signer, err := signing.OpenSigner(ctx, s)
	if err != nil {
		return 0, err
	}
	m, err := store.Evidence(reading, repo, repo.Name().Name(), digest, nil)
	if err != nil {
		return 0, cmp.Or(context.Cause(reading), err)
	}
	options := signer.Options(time.Unix(0, 0).UTC())
	subjects, err := attest.Look(reading, signer.Signer, m.Subjects(), options.Trust)
	if err != nil {
		return 0, err
	}
	read()
	signed, err := attest.Sign(ctx, signer.Signer, subjects, options)
	if err != nil {
		return 0, err
	}
	missing, made, err := store.Artifacts(subjects, signed)
	if err != nil || len(missing) == 0 {
		return 0, err
	}
	return made, repo.Attach(ctx, missing)
}
