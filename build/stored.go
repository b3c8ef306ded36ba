package build

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/registry"
)

// openRepository opens a repository with Config's settings and the credentials that
// every client of registries uses.
func (r *settled) openRepository(ctx context.Context, repository string, mounts []string, readOnly bool) (*registry.Repository, error) {
	host, _, _ := strings.Cut(repository, "/")
	if err := r.reach("open "+repository, host); err != nil {
		return nil, err
	}
	cfg := r.Config.Release
	o := registry.Options{
		Keychain: authn.DefaultKeychain, ReadOnly: readOnly, Insecure: cfg.Insecure, Proxy: http.ProxyFromEnvironment,
		MountFrom: mounts, UserAgent: "thimble/" + kit().Version,
	}
	for _, file := range cfg.RegistryCAs {
		o.CAFiles = append(o.CAFiles, r.abs(file))
	}
	if r.Offline {
		o.Proxy, o.DialContext = nil, offline.DialContext
	}
	return registry.Open(ctx, repository, o)
}

// storedIn reads what is stored about a digest: the referrers, and cosign's tags.
func storedIn(ctx context.Context, repo *registry.Repository, digest v1.Hash) (attest.Stored, error) {
	var s attest.Stored
	referrers, err := repo.Referrers(ctx, digest)
	if err != nil {
		return s, err
	}
	found := make([]v1.Image, len(referrers))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, d := range referrers {
		g.Go(func() (err error) {
			found[i], err = repo.Referrer(gctx, d.Digest, attest.BundleType)
			return err
		})
	}
	for tag, to := range map[string]*v1.Image{
		attest.SignatureTag(digest): &s.Signatures, attest.AttestationTag(digest): &s.Attestations,
	} {
		g.Go(func() error {
			at, err := repo.Resolve(gctx, tag)
			if err != nil || at.Hex == "" {
				return err
			}
			*to, err = repo.Image(gctx, at)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return s, err
	}
	for _, img := range found {
		if img != nil {
			s.Bundles = append(s.Bundles, img)
		}
	}
	return s, nil
}

// materialIn reads an image or index and its platforms, with all that is stored about
// them, from a registry, but for what was read before.
func materialIn(ctx context.Context, repo *registry.Repository, label string, digest v1.Hash, before map[v1.Hash]attest.Stored) (attest.Material, error) {
	m := attest.Material{Name: label}
	read := func(ctx context.Context, to *attest.Manifest, d v1.Descriptor) error {
		raw, read, err := repo.Manifest(ctx, d.Digest)
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
		to.Stored, err = storedIn(ctx, repo, d.Digest)
		return err
	}
	if err := read(ctx, &m.Root, v1.Descriptor{Digest: digest}); err != nil {
		return m, err
	}
	if !m.Root.Descriptor.MediaType.IsIndex() {
		return m, nil
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(m.Root.Raw, &index); err != nil {
		return m, fmt.Errorf("read %s@%s: %w", label, digest, err)
	}
	m.Children = make([]attest.Manifest, len(index.Manifests))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i, d := range index.Manifests {
		g.Go(func() error { return read(gctx, &m.Children[i], d) })
	}
	return m, g.Wait()
}
