package signing

import (
	"errors"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// CheckExpected returns an error if a trust does not say whose signature is expected, or not
// enough of it.
func CheckExpected(t attest.Trust) error {
	for _, i := range t.Identities {
		switch {
		case i.Subject == "" && i.SubjectRegexp == "":
			return errors.New("verify: an issuer is expected, and no identity; name it with -identity or -identityRegexp")
		case i.Issuer == "" && i.IssuerRegexp == "":
			return errors.New("verify: an identity needs its issuer, since another one may give out the same; name it with -issuer or -issuerRegexp")
		case t.TrustedRoot == nil:
			return errors.New("verify: an identity can be verified only with a trusted root; name Sigstore's trusted_root.json with -trustedRoot")
		}
	}
	if len(t.Keys) == 0 && len(t.Identities) == 0 {
		return errors.New("verify: whose signature is expected? name a public key with -key=cosign.pub, or -identity, -issuer and -trustedRoot")
	}
	return nil
}
