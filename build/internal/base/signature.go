package base

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/baseimage"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/plan"
)

// Signatures says which signatures images that are bases must have. The zero value requires none.
type Signatures struct {
	// Wanted has the signatures by the reference of the base; all of them are required.
	Wanted map[string][]*plan.BaseSignature
	// TrustedRoot is the file for signatures that name none.
	TrustedRoot string
	// Within is how long the signatures of one image are read; zero means ten minutes.
	Within time.Duration
}

// WantedBy returns the signatures that images require of their bases, by the reference of the
// base. signed has the signature by the name of the image.
func WantedBy(images []plan.Image, signed map[string]*plan.BaseSignature) map[string][]*plan.BaseSignature {
	wanted := map[string][]*plan.BaseSignature{}
	for _, img := range images {
		if want := signed[img.Name]; want != nil {
			wanted[img.Base] = append(wanted[img.Base], want)
		}
	}
	return wanted
}

// Signed reports whether a Config requires a signature of a base.
func Signed(c plan.Config) bool {
	return c.Defaults.BaseSignature != nil ||
		slices.ContainsFunc(c.Images, func(i plan.ImageConfig) bool { return i.BaseSignature != nil })
}

// CheckSignatures checks the signatures of the pinned images. The cache keeps each result, with
// the digest and the requirement, so that the next build needs no network.
func CheckSignatures(ctx context.Context, s Sources, pinned *plan.Lock, required Signatures) error {
	if pinned == nil {
		return nil
	}
	for _, l := range pinned.Images {
		for _, want := range required.Wanted[l.Reference] {
			key, err := signatureKey(s, l, want, required.TrustedRoot)
			if err != nil {
				return err
			}
			_, err = s.Cache.Value(key, func() ([]byte, error) {
				return []byte("signed"), s.Stage("verify "+l.Reference, func() (string, error) {
					return "", checkSignature(ctx, s, l, want, required)
				})
			})
			if err != nil {
				return err
			}
			if err := checkMembers(ctx, s, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMembers checks that the images for the platforms are in the signed index: the lock names
// both, and whoever can change the lock could name others.
func checkMembers(ctx context.Context, s Sources, l plan.ImageLock) error {
	for _, p := range l.Platforms {
		key := fmt.Sprintf("%sbase-member-%s %s %s", s.CacheVersion, l.Digest, p.Platform, p.Digest)
		_, err := s.Cache.Value(key, func() ([]byte, error) {
			return []byte("member"), s.images().Member(ctx, l, p.Platform)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// signatureKey identifies everything that a signature is checked against.
func signatureKey(s Sources, l plan.ImageLock, want *plan.BaseSignature, trustedRoot string) (string, error) {
	h := sha256.New()
	wanted, err := json.Marshal(want)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(h, "%s %s\n%s\n", l.Reference, l.Digest, wanted)
	for _, file := range []string{want.Key, want.TrustedRoot, trustedRoot} {
		if file == "" {
			continue
		}
		b, err := os.ReadFile(s.Path(file))
		if err != nil {
			return "", fmt.Errorf("base %s: %w", l.Reference, err)
		}
		fmt.Fprintf(h, "%x\n", sha256.Sum256(b))
	}
	return fmt.Sprintf("%sbase-signature-%x", s.CacheVersion, h.Sum(nil)), nil
}

// checkSignature looks for a signature of the digest by the expected signer.
func checkSignature(
	ctx context.Context, s Sources, l plan.ImageLock, want *plan.BaseSignature, required Signatures,
) error {
	fail := func(err error) error { return fmt.Errorf("base %s@%s: %w", l.Reference, l.Digest, err) }
	trust, err := signer(s, want, required.TrustedRoot)
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
	ctx, _, done := store.Reading(ctx, "check the signature of "+l.Reference, required.Within)
	defer done()
	var stored attest.Stored
	switch ref.Kind {
	case baseimage.Archive:
		return fail(errors.New(
			"Config.BaseSignature requires a signature, but a docker archive cannot contain one"))
	case baseimage.Layout:
		var layout *store.LayoutReferrers
		if layout, err = store.OpenReferrers(ctx, s.Path(ref.Path)); err == nil {
			stored, err = layout.Stored(ctx, digest)
		}
	default:
		repo, openErr := s.Open(ctx, ref.Repository)
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
		return fail(fmt.Errorf("the signature that Config.BaseSignature requires: %w", err))
	}
	return nil
}

// signer returns the required signer.
func signer(s Sources, want *plan.BaseSignature, trustedRoot string) (attest.Trust, error) {
	t := attest.Trust{AllowUnlogged: want.NoTransparencyLog, AllowNoSCT: want.NoCertificateLog}
	if want.Key != "" {
		key, err := signing.ReadPublicKey(s.Path(want.Key))
		if err != nil {
			return t, err
		}
		t.Keys = []*attest.PublicKey{key}
	}
	identity := attest.Identity{
		Subject: want.Identity, SubjectRegexp: want.IdentityRegexp, Issuer: want.Issuer,
		IssuerRegexp: want.IssuerRegexp,
	}
	if identity == (attest.Identity{}) {
		if len(t.Keys) == 0 {
			return t, errors.New("Config.BaseSignature has no signer; set Key, or Identity and Issuer")
		}
		return t, nil
	}
	t.Identities = []attest.Identity{identity}
	file := cmp.Or(want.TrustedRoot, trustedRoot)
	if file == "" {
		return t, errors.New(
			"an identity can be verified only with a trusted root; set its file in " +
				"Config.BaseSignature.TrustedRoot")
	}
	var err error
	t.TrustedRoot, err = signing.ReadTrustedRoot(s.Path(file))
	return t, err
}
