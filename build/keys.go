package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/release"
	"github.com/thimble-build/thimble/build/internal/signing"
)

// Keys makes a key pair in cosign's format, encrypted with the password: prefix.key and
// prefix.pub, relative to Options.Workdir. It returns the two paths as given. If one of the files
// exists, that is an error, and nothing is written.
func Keys(ctx context.Context, o Options, prefix string) (private, public string, err error) {
	s, err := o.signingSession(ctx)
	if err != nil {
		return "", "", err
	}
	return signing.NewKeyPair(s, prefix)
}

// Sign signs an image in a registry, named by its digest, and attaches the signatures. For an
// index it also signs each platform's image. It returns how many signatures were made: 0 if all
// existed. A tag and an OCI layout are errors.
func Sign(ctx context.Context, o Options, ref string) (int, error) {
	s, err := o.signingSession(ctx)
	if err != nil {
		return 0, err
	}
	return release.SignReference(ctx, s, ref, o.VerifyWithin)
}
