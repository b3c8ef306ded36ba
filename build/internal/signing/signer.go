package signing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Signer signs for a session, and says which signers are trusted when the result is verified.
type Signer struct {
	*attest.Signer
	// Trust contains the signer, and the other signers that Config trusts.
	Trust attest.Trust
	// Forms are the forms in which signatures are stored.
	Forms []attest.Form
}

// OpenSigner opens the key or the identity that Config names. It requests an identity's
// certificate immediately: it returns an error for a session without an identity, or with one
// that its trusted root does not know.
func OpenSigner(ctx context.Context, s *session.Session) (Signer, error) {
	cfg := s.Config.Release
	out := Signer{Forms: forms(cfg)}
	var err error
	if out.Signer, err = Open(ctx, s); err != nil {
		return out, err
	}
	if out.Trust, err = Trust(s); err != nil {
		return out, err
	}
	for i, key := range out.Trust.Keys {
		if err := key.Verifiable(); err != nil {
			return out, fmt.Errorf("trust %s of Config.Release.TrustKeys: %w", cfg.TrustKeys[i], err)
		}
	}
	out.Trust.TagsUnlogged = !slices.ContainsFunc(cfg.Logs,
		func(l plan.TransparencyLog) bool { return l.Version == 1 })
	if len(cfg.Logs) > 0 && out.Trust.TagsUnlogged && slices.Contains(out.Forms, attest.Tags) {
		s.Progress.Notice(
			"cosign's tags cannot contain an entry of a Rekor log of version 2: signatures in that form " +
				"have none")
	}
	if key := out.PublicKey(); key != nil {
		out.Trust.Keys = append([]*attest.PublicKey{key}, out.Trust.Keys...)
		// Without a trusted root, a forged record could not be detected.
		out.Trust.RequireLog = len(cfg.Logs) > 0 && out.Trust.TrustedRoot != nil
		out.Trust.RequireTimestamp = len(cfg.TimestampAuthorities) > 0 && out.Trust.TrustedRoot != nil
		return out, nil
	}
	if err := CheckKeyless(s, out.Trust); err != nil {
		return out, err
	}
	identity, err := out.Identity(ctx)
	if err != nil {
		return out, err
	}
	out.Trust.Identities = []attest.Identity{identity}
	return out, out.Trust.CheckCertificate(ctx, out.Signer)
}

// DevelopmentSigner makes a private key that exists only in this process.
func DevelopmentSigner(s *session.Session) (Signer, error) {
	out := Signer{Forms: forms(s.Config.Release)}
	key, err := attest.NewDevelopmentKey()
	if err != nil {
		return out, err
	}
	if out.Signer, err = attest.NewSigner(key, attest.Services{}); err != nil {
		return out, err
	}
	out.Trust = attest.Trust{Keys: []*attest.PublicKey{out.PublicKey()}}
	return out, nil
}

// Options returns those for attest.Sign; created is the time in the manifests.
func (s Signer) Options(created time.Time) attest.Options {
	return attest.Options{Forms: s.Forms, Created: created, Trust: s.Trust}
}

// forms returns those that Config names, or both if it names none.
func forms(cfg plan.ReleaseConfig) []attest.Form {
	if len(cfg.Forms) == 0 {
		return []attest.Form{attest.Bundles, attest.Tags}
	}
	var all []attest.Form
	for _, f := range cfg.Forms {
		all = append(all, attest.Form(f))
	}
	return all
}
