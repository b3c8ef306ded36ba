package signing

import (
	"errors"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/session"
)

// Expectation is whose signature a deployer expects. Config.Release gives the values for empty
// fields.
type Expectation struct {
	// Keys are files with public keys, TrustedRoot is Sigstore's trusted_root.json.
	Keys        []string
	TrustedRoot string
	// PublicKeys are accepted as those in Keys are.
	PublicKeys []*attest.PublicKey
	Identity   attest.Identity
	// NoTransparencyLog and NoCertificateLog accept signatures without entries in such logs.
	NoTransparencyLog, NoCertificateLog bool
}

// Expected returns what an expectation and Config trust. It returns an error if that is nobody.
func Expected(s *session.Session, want Expectation) (attest.Trust, error) {
	cfg, identity := s.Config, want.Identity
	if want.TrustedRoot != "" {
		cfg.Release.TrustedRoot = want.TrustedRoot
	}
	if len(want.Keys) > 0 || identity.Subject != "" || identity.SubjectRegexp != "" {
		cfg.Release.TrustKeys = want.Keys // only the named keys are accepted
	}
	t, err := Trust(s.WithConfig(cfg))
	if err != nil {
		return t, err
	}
	t.Keys = append(t.Keys, want.PublicKeys...)
	t.AllowUnlogged = t.AllowUnlogged || want.NoTransparencyLog
	t.AllowNoSCT = t.AllowNoSCT || want.NoCertificateLog
	if identity != (attest.Identity{}) {
		t.Identities = []attest.Identity{identity}
	}
	return t, checkExpected(t)
}

// checkExpected returns an error if a trust does not say whose signature is expected, or not
// enough of it.
func checkExpected(t attest.Trust) error {
	for _, i := range t.Identities {
		switch {
		case i.Subject == "" && i.SubjectRegexp == "":
			return errors.New(
				"verify: an issuer is expected, but no identity; give it with -identity or -identityRegexp")
		case i.Issuer == "" && i.IssuerRegexp == "":
			return errors.New(
				"verify: an identity needs its issuer, because another issuer may use the same identity; " +
					"give it with -issuer or -issuerRegexp")
		case t.TrustedRoot == nil:
			return errors.New(
				"verify: an identity can be verified only with a trusted root; give Sigstore's " +
					"trusted_root.json with -trustedRoot")
		}
	}
	if len(t.Keys) == 0 && len(t.Identities) == 0 {
		return errors.New(
			"verify: whose signature is expected? give a public key with -key=cosign.pub, or -identity, " +
				"-issuer and -trustedRoot")
	}
	return nil
}
