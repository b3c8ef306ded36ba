package build

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/registry"
)

// Report is what a verification looked at, and how each check ended.
type Report = attest.Report

// Check is one line of a Report.
type Check = attest.Check

// Expected is what a deployer expects of an image. A key, or an identity with its
// issuer and a trusted root, is required; Config.Release fills in what is empty.
type Expected struct {
	// Keys are files with public keys, of which any may have signed.
	Keys []string
	// Identity is the subject of the certificate and Issuer that of its token; each may
	// be given as a regular expression that matches all of it instead.
	Identity, IdentityRegexp, Issuer, IssuerRegexp string
	// TrustedRoot is a file: Sigstore's trusted_root.json.
	TrustedRoot string
	// Source is the repository that the provenance must name; any if empty.
	Source string
	// NoTransparencyLog and NoCertificateLog do without entries in such logs.
	NoTransparencyLog, NoCertificateLog bool
}

// Verify checks an image, by tag or digest in a registry, or an OCI layout in a folder,
// as a deployer would: the signature is of the expected signer, SBOMs and provenance
// are bound to this digest, every platform is covered. The report comes with the error
// when a check failed.
func Verify(ctx context.Context, o Options, ref string, want Expected) (*Report, error) {
	s, err := settle(o)
	if err != nil {
		return nil, err
	}
	trust, err := s.expected(want)
	if err != nil {
		return nil, err
	}
	policy := attest.Policy{Trust: trust, Source: want.Source}
	var m attest.Material
	if dir, ok := s.layoutOf(ref); ok {
		m, err = materialInLayout(dir)
		policy.Content = func(_ context.Context, of v1.Descriptor) error { return contentInLayout(dir, of.Digest) }
		policy.Binary = func(ctx context.Context, of v1.Descriptor) (string, error) {
			return binaryIn(ctx, of, func(digest v1.Hash) (v1.Image, error) {
				top, err := layout.ImageIndexFromPath(dir)
				if err == nil && digest != m.Root.Descriptor.Digest {
					top, err = top.ImageIndex(m.Root.Descriptor.Digest)
				}
				if err != nil {
					return nil, err
				}
				return top.Image(digest)
			})
		}
	} else {
		var repo *registry.Repository
		var digest v1.Hash
		if repo, digest, err = s.find(ctx, ref, true); err != nil {
			return nil, err
		}
		defer repo.Close()
		m, err = materialIn(ctx, repo, repo.Name().Name(), digest, nil)
		policy.Binary = func(ctx context.Context, of v1.Descriptor) (string, error) {
			return binaryIn(ctx, of, func(digest v1.Hash) (v1.Image, error) {
				return remote.Image(repo.Name().Digest(digest.String()), repo.RemoteOptions(ctx)...)
			})
		}
	}
	if err != nil {
		return nil, err
	}
	report, err := attest.Verify(ctx, m, policy)
	if len(report.Checks) == 0 {
		return nil, err // there is nothing to show
	}
	return &report, err
}

// expected is the trust that the options and Config come to.
func (s *settled) expected(want Expected) (attest.Trust, error) {
	if want.TrustedRoot != "" {
		s.Config.Release.TrustedRoot = want.TrustedRoot
	}
	if len(want.Keys) > 0 || want.Identity != "" || want.IdentityRegexp != "" {
		s.Config.Release.TrustKeys = want.Keys // who is named is the only one
	}
	t, err := s.baseTrust()
	if err != nil {
		return t, err
	}
	t.AllowUnlogged = t.AllowUnlogged || want.NoTransparencyLog
	t.AllowNoSCT = t.AllowNoSCT || want.NoCertificateLog
	if want.Identity != "" || want.IdentityRegexp != "" || want.Issuer != "" || want.IssuerRegexp != "" {
		t.Identities = []attest.Identity{{
			Subject: want.Identity, SubjectRegexp: want.IdentityRegexp, Issuer: want.Issuer, IssuerRegexp: want.IssuerRegexp,
		}}
	}
	for _, i := range t.Identities {
		switch {
		case i.Subject == "" && i.SubjectRegexp == "":
			return t, errors.New("verify: an issuer is expected, and no identity; name it with -identity or -identityRegexp")
		case i.Issuer == "" && i.IssuerRegexp == "":
			return t, errors.New("verify: an identity needs its issuer, since another one may give out the same; name it with -issuer or -issuerRegexp")
		case t.TrustedRoot == nil:
			return t, errors.New("verify: an identity can be verified only with a trusted root; name Sigstore's trusted_root.json with -trustedRoot")
		}
	}
	if len(t.Keys) == 0 && len(t.Identities) == 0 {
		return t, errors.New("verify: whose signature is expected? name a public key with -key=cosign.pub, or -identity, -issuer and -trustedRoot")
	}
	return t, nil
}

// find opens the repository of a reference, and gives the digest of what it means. A
// caller that must not be given a tag says so.
func (s *settled) find(ctx context.Context, ref string, tags bool) (*registry.Repository, v1.Hash, error) {
	if dir, ok := s.layoutOf(ref); ok && !tags {
		return nil, v1.Hash{}, fmt.Errorf("sign %s: it is an OCI layout; \"mage release\" signs the images of a layout, where no repository is set", dir)
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		shown := fmt.Sprintf("%q", ref)
		if before, _, _ := strings.Cut(ref, "@sha256:"); strings.Contains(before, "@") || strings.Contains(ref, "://") {
			shown = "the reference" // which has a password in it, perhaps
		}
		return nil, v1.Hash{}, fmt.Errorf("parse %s: it is no reference to an image, such as ghcr.io/acme/api:v1.2.3, and no folder with an OCI layout", shown)
	}
	repository, digestRef, isDigest := strings.Cut(ref, "@")
	if !isDigest {
		if !tags {
			return nil, v1.Hash{}, fmt.Errorf("%s is a tag, which may point to something else a moment later; give the digest, such as %s@sha256:…", ref, parsed.Context().Name())
		}
		repository = strings.TrimSuffix(ref, ":"+parsed.Identifier())
	} else if tagged, err := name.NewTag(repository, name.StrictValidation); err == nil {
		repository = strings.TrimSuffix(repository, ":"+tagged.TagStr())
	}
	repo, err := s.openRepository(ctx, repository, nil, tags)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	if isDigest {
		digest, err := v1.NewHash(digestRef)
		if err != nil {
			repo.Close()
			return nil, digest, fmt.Errorf("parse %s: %w", ref, err)
		}
		return repo, digest, nil
	}
	digest, err := repo.Resolve(ctx, parsed.Identifier())
	if err == nil && digest.Hex == "" {
		err = fmt.Errorf("find %s: there is no such image", ref)
	}
	if err != nil {
		repo.Close()
		return nil, v1.Hash{}, err
	}
	return repo, digest, nil
}
