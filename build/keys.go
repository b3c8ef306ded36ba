package build

import (
	"cmp"
	"context"
	"time"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
)

// Keys makes a key pair in cosign's format, encrypted with the password: prefix.key and
// prefix.pub, relative to Options.Workdir. It returns the two paths as given. If one of the files
// exists, that is an error, and nothing is written.
func Keys(ctx context.Context, o Options, prefix string) (private, public string, err error) {
	s, err := o.session(ctx)
	if err != nil {
		return "", "", err
	}
	return signing.NewKeyPair(s, prefix)
}

// Sign signs an image in a registry, named by its digest, and attaches the signatures. For an
// index it also signs each platform's image. It returns how many signatures were made: 0 if all
// existed. A tag and an OCI layout are errors.
func Sign(ctx context.Context, o Options, ref string) (int, error) {
	s, err := o.session(ctx)
	if err != nil {
		return 0, err
	}
	reading, read, done := store.Reading(ctx, "sign "+ref, o.VerifyWithin)
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
