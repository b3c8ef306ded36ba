package build

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/baseimage"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/plan"
)

// signers are those who must have signed an image, as the images that stand on it ask.
func (r *run) signers(ref string) []*plan.BaseSignature {
	var all []*plan.BaseSignature
	for _, img := range r.resolved.Plan.Images {
		if want := r.resolved.Signed[img.Name]; img.Base == ref && want != nil {
			all = append(all, want)
		}
	}
	return all
}

// checkBaseSignatures checks the signatures of the bases that are used here for the
// first time. That one was found is kept with the digest and with what was asked for, so
// that the next build needs no network.
func (r *run) checkBaseSignatures(ctx context.Context) error {
	if r.resolved.Plan.Lock == nil {
		return nil
	}
	for _, l := range r.resolved.Plan.Lock.Images {
		for _, want := range r.signers(l.Reference) {
			key, err := r.signatureKey(l, want)
			if err != nil {
				return err
			}
			_, err = r.cache.Value(key, func() ([]byte, error) {
				return []byte("signed"), r.Stage("verify "+l.Reference, func() (string, error) {
					return "", r.checkBaseSignature(ctx, l, want)
				})
			})
			if err != nil {
				return err
			}
			if err := r.checkMembers(ctx, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMembers checks that the images for the platforms are those of the index that was
// signed: the lock names both, and anybody who can change it could name others.
func (r *run) checkMembers(ctx context.Context, l plan.ImageLock) error {
	for _, p := range l.Platforms {
		key := fmt.Sprintf("%sbase-member-%s %s %s", r.cacheVersion, l.Digest, p.Platform, p.Digest)
		_, err := r.cache.Value(key, func() ([]byte, error) {
			return []byte("member"), baseImages(r.Session, r.cache).Member(ctx, l, p.Platform)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// signatureKey is everything that a signature was checked against.
func (r *run) signatureKey(l plan.ImageLock, want *plan.BaseSignature) (string, error) {
	h := sha256.New()
	asked, err := json.Marshal(want)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(h, "%s %s\n%s\n", l.Reference, l.Digest, asked)
	for _, file := range []string{want.Key, want.TrustedRoot, r.Config.Release.TrustedRoot} {
		if file == "" {
			continue
		}
		b, err := os.ReadFile(r.Path(file))
		if err != nil {
			return "", fmt.Errorf("base %s: %w", l.Reference, err)
		}
		fmt.Fprintf(h, "%x\n", sha256.Sum256(b))
	}
	return fmt.Sprintf("%sbase-signature-%x", r.cacheVersion, h.Sum(nil)), nil
}

// checkBaseSignature looks for a signature of the digest by whom it is expected of.
func (r *run) checkBaseSignature(ctx context.Context, l plan.ImageLock, want *plan.BaseSignature) error {
	fail := func(err error) error { return fmt.Errorf("base %s@%s: %w", l.Reference, l.Digest, err) }
	trust, err := r.baseSigner(want)
	if err != nil {
		return fail(err)
	}
	digest, err := v1.NewHash(l.Digest)
	if err != nil {
		return fail(err)
	}
	ref, err := baseimage.Parse(l.Reference)
	if err != nil {
		return err
	}
	ctx, _, done := store.Reading(ctx, "check the signature of "+l.Reference, r.asked.VerifyWithin)
	defer done()
	var stored attest.Stored
	switch ref.Kind {
	case baseimage.Archive:
		return fail(errors.New("Config.BaseSignature asks for a signature, and a docker archive has no place for one"))
	case baseimage.Layout:
		stored, err = store.StoredInLayout(ctx, r.Path(ref.Path), ociread.Layout(r.Path(ref.Path)), digest, store.NewBudget())
	default:
		repo, openErr := store.OpenRepository(ctx, r.Session, ref.Repository, nil, true)
		if openErr != nil {
			return openErr
		}
		defer repo.Close()
		stored, err = store.Stored(ctx, repo, digest, store.NewBudget())
	}
	if err != nil {
		return fail(cmp.Or(context.Cause(ctx), err))
	}
	if _, err := attest.FindSignature(ctx, stored, digest, trust); err != nil {
		return fail(fmt.Errorf("the signature that Config.BaseSignature asks for: %w", err))
	}
	return nil
}

// baseSigner is whom a base's signature must be by.
func (r *run) baseSigner(want *plan.BaseSignature) (attest.Trust, error) {
	t := attest.Trust{AllowUnlogged: want.NoTransparencyLog, AllowNoSCT: want.NoCertificateLog}
	if want.Key != "" {
		key, err := signing.ReadPublicKey(r.Path(want.Key))
		if err != nil {
			return t, err
		}
		t.Keys = []*attest.PublicKey{key}
	}
	identity := attest.Identity{Subject: want.Identity, SubjectRegexp: want.IdentityRegexp, Issuer: want.Issuer, IssuerRegexp: want.IssuerRegexp}
	if identity == (attest.Identity{}) {
		if len(t.Keys) == 0 {
			return t, errors.New("Config.BaseSignature names nobody; set Key, or Identity and Issuer")
		}
		return t, nil
	}
	t.Identities = []attest.Identity{identity}
	file := want.TrustedRoot
	if file == "" {
		file = r.Config.Release.TrustedRoot
	}
	if file == "" {
		return t, errors.New("an identity can be verified only with a trusted root; name its file in Config.BaseSignature.TrustedRoot")
	}
	var err error
	t.TrustedRoot, err = signing.ReadTrustedRoot(r.Path(file))
	return t, err
}
