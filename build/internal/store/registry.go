package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/credentials"
	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/session"
)

// OpenRepository opens a repository with Config's settings and the credentials for registries.
func OpenRepository(ctx context.Context, s *session.Session, repository string, mounts []string,
	readOnly bool) (*registry.Repository, error) {
	host, _, _ := strings.Cut(repository, "/")
	if err := s.Reach("open "+repository, host); err != nil {
		return nil, err
	}
	cfg := s.Config.Release
	o := distribution.Options{
		Keychain: credentials.Keychain{LookupEnv: s.LookupEnv}, ReadOnly: readOnly,
		Insecure: cfg.Insecure, Proxy: s.Proxy(),
		MountFrom: mounts, UserAgent: "thimble/" + session.Kit().Version,
	}
	for _, file := range cfg.RegistryCAs {
		o.CAFiles = append(o.CAFiles, s.Path(file))
	}
	if s.Offline {
		o.DialContext = offline.DialContext
	}
	if s.Registries != nil {
		s.Registries(&o)
	}
	return registry.Open(ctx, repository, o)
}

const (
	// maxReferrers limits how many referrers of a manifest are read.
	maxReferrers = 500
	// maxIgnored limits how many ignored documents of a manifest are listed.
	maxIgnored = 20
)

// Stored reads what is stored about a digest: the referrers, and cosign's tags. Their documents
// are read later; ctx ends that too. Because anybody may attach documents, unreadable ones
// cause no error: they are listed as ignored.
func Stored(ctx context.Context, repo *registry.Repository, digest v1.Hash,
	of *Budget) (attest.Stored, error) {
	var s attest.Stored
	listed, err := repo.Referrers(ctx, digest)
	if err != nil {
		return s, err
	}
	candidates, foreign := bundles(listed)
	if len(foreign) > 0 {
		s.Ignored = append(s.Ignored, attest.Ignore{Source: "referrers", Reason: foreign})
	}
	if over := len(candidates) - maxReferrers; over > 0 {
		s.Ignored = append(s.Ignored, attest.Ignore{Source: "referrers",
			Reason: fmt.Sprintf("%d of %d were not read, because the limit is %d", over,
				len(candidates), maxReferrers)})
		candidates = candidates[:maxReferrers]
	}
	if len(listed) == registry.MaxReferrers {
		s.Ignored = append(s.Ignored, attest.Ignore{Source: "referrers",
			Reason: fmt.Sprintf("only the first %d of the list were read", len(listed))})
	}
	found := make([]v1.Image, len(candidates))
	reasons := make([]error, len(candidates))
	g, gctx := errgroup.WithContext(ctx) // ctx is for the documents that are read later
	for i, d := range candidates {
		g.Go(func() error {
			return of.do(gctx, func() error {
				found[i], reasons[i] = repo.Referrer(ctx, d.Digest, attest.BundleType)
				return context.Cause(ctx)
			})
		})
	}
	var mu sync.Mutex // guards what is ignored
	for tag, to := range map[string]*v1.Image{
		attest.SignatureTag(digest): &s.Signatures, attest.AttestationTag(digest): &s.Attestations,
	} {
		g.Go(func() error {
			return of.do(gctx, func() error {
				at, err := repo.Resolve(ctx, tag)
				if err == nil && at.Hex != "" {
					*to, err = repo.Image(ctx, at)
				}
				if distribution.Unreadable(err) {
					mu.Lock()
					defer mu.Unlock()
					s.Ignored, err = append(s.Ignored, attest.Ignore{Source: tag, Reason: err.Error()}), nil
				}
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return s, err
	}
	ignored, others := 0, 0
	for i, img := range found {
		err := reasons[i]
		if err == nil && img == nil {
			others++
		}
		if err == nil && img != nil {
			if err = of.keepImage(img); err == nil {
				s.Bundles = append(s.Bundles, img)
			}
		}
		if err != nil && !distribution.Unreadable(err) && s.Unread == nil {
			s.Unread = err
		}
		if err != nil {
			if ignored++; ignored <= maxIgnored {
				s.Ignored = append(s.Ignored,
					attest.Ignore{Source: candidates[i].Digest.String(), Reason: err.Error()})
			}
		}
	}
	if others > 0 {
		s.Ignored = append(s.Ignored, attest.Ignore{Source: "referrers",
			Reason: fmt.Sprintf("%d are not bundles, or do not exist any more", others)})
	}
	if ignored > maxIgnored {
		s.Ignored = append(s.Ignored, attest.Ignore{Source: "referrers",
			Reason: fmt.Sprintf("%d more could not be read", ignored-maxIgnored)})
	}
	return s, errors.Join(of.keepImage(s.Signatures), of.keepImage(s.Attestations))
}

// bundles returns the referrers that may be Sigstore bundles, and how many have other types.
// Some registries write the configuration's type, or nothing, in place of the artifact type.
func bundles(listed []v1.Descriptor) (candidates []v1.Descriptor, foreign string) {
	kinds, others := map[string]bool{}, 0
	for _, d := range listed {
		switch d.ArtifactType {
		case attest.BundleType, imagespec.MediaTypeEmptyJSON, "":
			candidates = append(candidates, d)
		default:
			others++
			if len(kinds) < 3 {
				kinds[fmt.Sprintf("%.100s", d.ArtifactType)] = true
			}
		}
	}
	if others > 0 {
		foreign = fmt.Sprintf("%d of other types, such as %s", others,
			strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	return candidates, foreign
}

// Evidence reads an image or index and its platforms, with everything stored about them, from a
// registry, except what was read before.
func Evidence(ctx context.Context, repo *registry.Repository, label string, digest v1.Hash,
	before map[v1.Hash]attest.Stored) (attest.Evidence, error) {
	m, of := attest.Evidence{Name: label}, NewBudget()
	read := func(to *attest.Manifest, d v1.Descriptor) (err error) {
		var raw []byte
		var read v1.Descriptor
		err = of.do(ctx, func() (err error) {
			raw, read, err = repo.Manifest(ctx, d.Digest)
			return err
		})
		if err == nil {
			err = of.keep(raw)
		}
		if err != nil {
			return err
		}
		if d.MediaType == "" {
			d = read
		}
		to.Descriptor, to.Raw = d, raw
		if s, ok := before[d.Digest]; ok {
			to.Stored = s
			return nil
		}
		to.Stored, err = Stored(ctx, repo, d.Digest, of)
		return err
	}
	if err := read(&m.Root, v1.Descriptor{Digest: digest}); err != nil {
		return m, err
	}
	if !m.Root.Descriptor.MediaType.IsIndex() {
		return m, nil
	}
	index, err := ociread.ParseIndex(m.Root.Raw)
	if err != nil {
		return m, fmt.Errorf("read %s@%s: %w", label, digest, err)
	}
	m.Children = make([]attest.Manifest, len(index.Manifests))
	g, gctx := errgroup.WithContext(ctx) // ctx is for the documents that are read later
	g.SetLimit(4)
	for i, d := range index.Manifests {
		g.Go(func() error {
			if err := context.Cause(gctx); err != nil {
				return err
			}
			return read(&m.Children[i], d)
		})
	}
	return m, g.Wait()
}
