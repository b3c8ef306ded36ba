package build

import (
	"cmp"
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/report"
)

// VerifyOptions are the options of Verify: what a deployer expects of an image. A key is required,
// or an identity with its issuer and a trusted root. Config.Release gives the values for empty
// fields.
type VerifyOptions struct {
	Options
	// Keys are files with public keys; a signature by any of them is accepted.
	Keys []string
	// Identity is the subject of the certificate, Issuer is the issuer of the identity's token.
	// The Regexp fields replace them; a regular expression must match the whole value.
	Identity, IdentityRegexp, Issuer, IssuerRegexp string
	// TrustedRoot is a file: Sigstore's trusted_root.json.
	TrustedRoot string
	// Source is the repository that the provenance must name; any if empty.
	Source string
	// NoTransparencyLog and NoCertificateLog accept signatures without entries in such logs.
	NoTransparencyLog, NoCertificateLog bool
}

// Verify checks an image as a deployer would: the signature is from the expected signer, SBOMs
// and provenance are bound to this digest, every platform is covered. ref is a tag or digest in
// a registry, or the folder of an OCI layout. If a check failed, the error wraps
// [report.ErrRefused], and is returned with the report; any other error may come without one.
func Verify(ctx context.Context, o VerifyOptions, ref string) (*report.Verification, error) {
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	trust, err := signing.Expected(s, o.expectation())
	if err != nil {
		return nil, err
	}
	policy := attest.Policy{Trust: trust, Source: o.Source}
	reading, read, done := store.Reading(ctx, "verify "+ref, o.VerifyWithin)
	defer done()
	var m attest.Evidence
	var from ociread.Blobs
	unlisted := func() error { return nil }
	if dir, ok := store.LayoutOf(s, ref); ok {
		in := ociread.Layout(dir)
		m, err = store.LayoutEvidence(reading, dir, in)
		from, policy.Content = in, func(ctx context.Context, of v1.Descriptor) error {
			read() // the signatures
			return store.CheckContent(ctx, in, m.Find(of.Digest))
		}
	} else {
		var repo *registry.Repository
		var digest v1.Hash
		if repo, digest, err = store.Find(reading, s, ref, store.ToRead); err != nil {
			return nil, cmp.Or(context.Cause(reading), err)
		}
		defer repo.Close()
		unlisted = repo.Unlisted
		policy.Reference = store.ReferenceOf(repo, ref)
		m, err = store.Evidence(reading, repo, repo.Name().Name(), digest, nil)
		from = repo
	}
	policy.Binary = func(ctx context.Context, of v1.Descriptor) (string, error) {
		read()
		return store.Binary(ctx, from, of.Digest, m.Find(of.Digest))
	}
	if err != nil {
		return nil, err
	}
	report, err := attest.Verify(ctx, m, policy)
	if cause := context.Cause(reading); cause != nil {
		return nil, cause
	}
	if cause := unlisted(); err != nil && cause != nil {
		err = fmt.Errorf("%w; the missing documents may exist: %w", err, cause)
	}
	if len(report.Checks) == 0 {
		return nil, err // there is nothing to show
	}
	return &report, err
}

// expectation returns whose signatures are accepted.
func (o VerifyOptions) expectation() signing.Expectation {
	return signing.Expectation{
		Keys: o.Keys, TrustedRoot: o.TrustedRoot,
		Identity: attest.Identity{
			Subject: o.Identity, SubjectRegexp: o.IdentityRegexp,
			Issuer: o.Issuer, IssuerRegexp: o.IssuerRegexp,
		},
		NoTransparencyLog: o.NoTransparencyLog, NoCertificateLog: o.NoCertificateLog,
	}
}
