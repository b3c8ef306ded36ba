package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/verify"
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
	s, err := o.signingSession(ctx)
	if err != nil {
		return nil, err
	}
	return verify.Image(ctx, s, ref, verify.Expectation{Expectation: o.expectation(), Source: o.Source,
		Within: o.VerifyWithin})
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
