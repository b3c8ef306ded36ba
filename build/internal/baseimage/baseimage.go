// Package baseimage reads base images: in a registry, in an OCI layout, or in a docker archive.
//
// Store.Lock finds the image of a reference, and its manifest for each platform. Store.Image
// returns such a locked image with its layers unchanged, from the cache or from the reference's
// location. It checks every byte against the digests of the lock, so the storage need not be
// trusted. Neither decides whether the image can be trusted: its signature does.
//
// A docker archive has no manifest. Its digest is that of the image's configuration (its ID),
// which has the hashes of the layers' content.
package baseimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/plan"
)

// Store says where images are read from, and where they are cached.
type Store struct {
	// Abs makes the path of a reference absolute.
	Abs func(string) string
	// Open logs in to a repository for reading.
	Open func(ctx context.Context, repository string) (*registry.Repository, error)
	// Cache keeps layers and documents; only Lock works without it.
	Cache *cache.Cache
	// Compression is that of uncompressed layers, which archives have.
	Compression plan.Compression
}

// maxLayer bounds a layer, compressed and as a tar, in bytes.
const maxLayer = 16 << 30

// source is the location of a locked image. Its data are not checked yet.
type source interface {
	// root returns the index or manifest of the reference.
	root(ctx context.Context) (raw []byte, mediaType types.MediaType, err error)
	manifest(ctx context.Context, digest v1.Hash) ([]byte, error)
	blob(ctx context.Context, digest v1.Hash, to cache.Sink) error
	// sboms returns the documents that are stored for a manifest, including those among the
	// further manifests.
	sboms(ctx context.Context, digest v1.Hash, further []v1.Hash) ([]plan.ImageSBOM, error)
	close()
}

// MissingError lists the platforms for which an image has no manifest.
type MissingError struct {
	Reference string
	Platforms []plan.Platform
	// Has are the platforms of the image.
	Has []string
}

func (e *MissingError) Error() string {
	var missing []string
	for _, p := range e.Platforms {
		missing = append(missing, p.String())
	}
	return fmt.Sprintf("base %s has no image for %s; it has %s", e.Reference, strings.Join(missing, ", "),
		strings.Join(e.Has, ", "))
}

// Lock finds the current image of a reference, and its manifests for the platforms. Missing
// platforms are a *MissingError, which is returned together with a lock for the others.
func (s *Store) Lock(ctx context.Context, ref string, platforms []plan.Platform) (plan.ImageLock, error) {
	l, err := s.lock(ctx, ref, platforms)
	if missing := new(MissingError); err != nil && !errors.As(err, &missing) {
		return l, fmt.Errorf("lock %s: %w", ref, err)
	}
	return l, err
}

func (s *Store) lock(ctx context.Context, ref string, platforms []plan.Platform) (plan.ImageLock, error) {
	none := plan.ImageLock{}
	parsed, err := Parse(ref)
	if err != nil {
		return none, err
	}
	if parsed.Kind == Archive {
		return s.lockArchive(ctx, ref, parsed, platforms)
	}
	from, err := s.open(ctx, parsed)
	if err != nil {
		return none, err
	}
	defer from.close()
	raw, mediaType, err := from.root(ctx)
	if err != nil {
		return none, err
	}
	l := plan.ImageLock{Reference: ref, Digest: hashOf(raw).String(), MediaType: string(mediaType)}
	candidates, err := candidates(ctx, from, raw, mediaType)
	if err != nil {
		return none, err
	}
	missing := &MissingError{Reference: ref}
	for _, want := range platforms {
		d, ok := choose(candidates, want)
		if !ok {
			missing.Platforms = append(missing.Platforms, want)
			continue
		}
		p := plan.ImagePlatformLock{Platform: want, Digest: d.Digest.String(), MediaType: string(d.MediaType),
			Size: d.Size}
		if p.SBOMs, err = sbomsOf(ctx, from, raw, mediaType, d.Digest); err != nil {
			return none, err
		}
		l.Platforms = append(l.Platforms, p)
	}
	if len(missing.Platforms) == 0 {
		return l, nil
	}
	for _, d := range candidates {
		missing.Has = append(missing.Has, platformOf(*d.Platform))
	}
	slices.Sort(missing.Has)
	return l, missing
}

// Member checks that the locked digest of a platform is the one in the locked image: the image's
// signature does not cover other manifests.
func (s *Store) Member(ctx context.Context, l plan.ImageLock, platform plan.Platform) error {
	at := slices.IndexFunc(l.Platforms, func(p plan.ImagePlatformLock) bool { return p.Platform == platform })
	if at < 0 {
		return fmt.Errorf("base %s for %s: it is not in the lock", l.Reference, platform)
	}
	digest := l.Platforms[at].Digest
	if digest == l.Digest {
		return nil
	}
	has, err := s.member(ctx, l, platform)
	if err == nil && has.Digest.String() != digest {
		err = fmt.Errorf("the lock has %s, but %s has another digest for it; run \"mage lock\"", digest,
			l.Digest)
	}
	if err != nil {
		return fmt.Errorf("base %s for %s: %w", l.Reference, platform, err)
	}
	return nil
}

// member returns the digest for a platform in the locked index.
func (s *Store) member(ctx context.Context, l plan.ImageLock, platform plan.Platform) (v1.Descriptor, error) {
	none := v1.Descriptor{}
	parsed, err := Parse(l.Reference)
	if err != nil {
		return none, err
	}
	digest, err := v1.NewHash(l.Digest)
	if err != nil {
		return none, err
	}
	if parsed.Kind == Archive {
		return none, nil // it is one image
	}
	from, err := s.open(ctx, parsed)
	if err != nil {
		return none, err
	}
	defer from.close()
	raw, err := from.manifest(ctx, digest)
	if parsed.Kind == Layout && err != nil {
		raw, _, err = from.root(ctx) // index.json itself
	}
	if err != nil {
		return none, err
	}
	if got := hashOf(raw); got != digest {
		return none, fmt.Errorf("index %s: %w: its content is %s", digest, cache.ErrCorrupt, got)
	}
	all, err := candidates(ctx, from, raw, types.MediaType(l.MediaType))
	if err != nil {
		return none, err
	}
	found, _ := choose(all, platform)
	return found, nil
}

// sbomsOf returns the documents about the image for a platform; if there are none, those about
// its index.
func sbomsOf(ctx context.Context, from source, root []byte, mediaType types.MediaType,
	digest v1.Hash) ([]plan.ImageSBOM, error) {
	if !mediaType.IsIndex() {
		return from.sboms(ctx, digest, nil)
	}
	index, err := ociread.ParseIndex(root)
	if err != nil {
		return nil, err
	}
	found, err := from.sboms(ctx, digest, attestations(index)[digest])
	if err != nil || len(found) > 0 {
		return found, err
	}
	return from.sboms(ctx, hashOf(root), nil)
}

// candidates returns the images of an index with their platforms, or the single image.
func candidates(ctx context.Context, from source, raw []byte,
	mediaType types.MediaType) ([]v1.Descriptor, error) {
	switch {
	case mediaType.IsIndex():
		index, err := ociread.ParseIndex(raw)
		if err != nil {
			return nil, err
		}
		var all []v1.Descriptor
		for _, d := range index.Manifests {
			// Attestations of buildkit have the platform unknown/unknown.
			if d.MediaType.IsImage() && d.Platform != nil && d.Platform.OS != "unknown" {
				all = append(all, d)
			}
		}
		if len(all) == 0 {
			return nil, errors.New("its index has no image with a platform")
		}
		return all, nil
	case mediaType.IsImage():
		m, err := ociread.ParseImage(raw)
		if err != nil {
			return nil, err
		}
		config, err := configOf(ctx, from, m)
		if err != nil {
			return nil, err
		}
		return []v1.Descriptor{{
			Digest: hashOf(raw), MediaType: mediaType, Size: int64(len(raw)), Platform: config.Platform(),
		}}, nil
	}
	return nil, fmt.Errorf("it is a %q, but must be an image or an index of OCI or Docker (schema 2)",
		mediaType)
}

// choose returns the image for a platform: of several variants that run there, the last one. A
// machine of arm/v7 runs images made for arm/v6.
func choose(candidates []v1.Descriptor, want plan.Platform) (v1.Descriptor, bool) {
	var best v1.Descriptor
	found, bestVariant := false, ""
	for _, d := range candidates {
		is, err := plan.ParsePlatform(platformOf(*d.Platform))
		if err != nil || is.OS != want.OS || is.Architecture != want.Architecture ||
			is.Variant > want.Variant {
			continue
		}
		if !found || is.Variant > bestVariant {
			best, bestVariant, found = d, is.Variant, true
		}
	}
	return best, found
}

func platformOf(p v1.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// Image is a base for one platform.
type Image struct {
	// Digest is that of the manifest; of an archive, that of the configuration.
	Digest v1.Hash
	Config *v1.ConfigFile
	// Layers are unchanged, with the media types of OCI.
	Layers []*cache.Layer
}

// Image returns the locked image for a platform. Cached parts are not requested; if all are
// cached, no source is opened.
func (s *Store) Image(ctx context.Context, l plan.ImageLock, platform plan.Platform) (*Image, error) {
	img, err := s.image(ctx, l, platform)
	if err != nil {
		return nil, fmt.Errorf("base %s for %s: %w", l.Reference, platform, err)
	}
	return img, nil
}

func (s *Store) image(ctx context.Context, l plan.ImageLock, platform plan.Platform) (*Image, error) {
	parsed, err := Parse(l.Reference)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(l.Platforms, func(p plan.ImagePlatformLock) bool { return p.Platform == platform })
	if at < 0 {
		return nil, errors.New("it is not in the lock")
	}
	digest, err := v1.NewHash(l.Platforms[at].Digest)
	if err != nil {
		return nil, err
	}
	if parsed.Kind == Archive {
		return s.archived(ctx, parsed, digest)
	}
	from := &lazy{open: func() (source, error) { return s.open(ctx, parsed) }}
	defer from.close()
	raw, err := s.document("manifest", digest, func() ([]byte, error) {
		src, err := from.get()
		if err != nil {
			return nil, err
		}
		return src.manifest(ctx, digest)
	})
	if err != nil {
		return nil, err
	}
	m, err := ociread.ParseImage(raw)
	if err != nil {
		return nil, err
	}
	raw, err = s.document("config", m.Config.Digest, func() ([]byte, error) {
		src, err := from.get()
		if err != nil {
			return nil, err
		}
		return document(ctx, src, m.Config)
	})
	if err != nil {
		return nil, err
	}
	img := &Image{Digest: digest}
	if img.Config, err = ociread.ParseConfig(raw); err != nil {
		return nil, err
	}
	if len(img.Config.RootFS.DiffIDs) != len(m.Layers) {
		return nil, fmt.Errorf("it has %d layers, but its configuration lists %d", len(m.Layers),
			len(img.Config.RootFS.DiffIDs))
	}
	for i, d := range m.Layers {
		if d.Size > maxLayer {
			return nil, fmt.Errorf("layer %s: %w: it has %d bytes", d.Digest, limit.ErrTooLarge, d.Size)
		}
		if d.MediaType, err = layerType(d.MediaType); err != nil {
			return nil, err
		}
		layer, err := s.Cache.Blob(ctx, d, img.Config.RootFS.DiffIDs[i],
			func(ctx context.Context, to cache.Sink) error {
				src, err := from.get()
				if err != nil {
					return err
				}
				return src.blob(ctx, d.Digest, to)
			})
		if err != nil {
			return nil, err
		}
		img.Layers = append(img.Layers, layer)
	}
	return img, nil
}

// layerType returns OCI's name for a layer; Docker has other names for the same bytes.
func layerType(t types.MediaType) (types.MediaType, error) {
	switch t {
	case types.OCILayer, types.DockerLayer:
		return imagespec.MediaTypeImageLayerGzip, nil
	case types.OCIUncompressedLayer, types.DockerUncompressedLayer:
		return imagespec.MediaTypeImageLayer, nil
	case types.OCILayerZStd:
		return imagespec.MediaTypeImageLayerZstd, nil
	}
	return t, fmt.Errorf("it has a layer of type %q, which is not supported in a base", t)
}

// document returns a manifest or configuration from the cache, otherwise from get, and checks it
// in both cases.
func (s *Store) document(kind string, digest v1.Hash, get func() ([]byte, error)) ([]byte, error) {
	raw, err := s.Cache.Value("base-"+kind+"-"+digest.String(), func() ([]byte, error) {
		raw, err := get()
		if err != nil {
			return nil, err
		}
		if got := hashOf(raw); got != digest {
			return nil, fmt.Errorf("%s %s: %w: its content is %s", kind, digest, cache.ErrCorrupt, got)
		}
		return raw, nil
	})
	if err != nil {
		return nil, err
	}
	if got := hashOf(raw); got != digest {
		return nil, fmt.Errorf("%s %s: the cache has %s for it; remove thimble's cache folder", kind, digest,
			got)
	}
	return raw, nil
}

// configOf reads the configuration of an image.
func configOf(ctx context.Context, from source, m *v1.Manifest) (*v1.ConfigFile, error) {
	raw, err := document(ctx, from, m.Config)
	if err != nil {
		return nil, err
	}
	if got := hashOf(raw); got != m.Config.Digest {
		return nil, fmt.Errorf("configuration %s: %w: its content is %s", m.Config.Digest,
			cache.ErrCorrupt, got)
	}
	config, err := ociread.ParseConfig(raw)
	if err != nil {
		return nil, err
	}
	return config, nil
}

// document reads a small blob.
func document(ctx context.Context, from source, d v1.Descriptor) ([]byte, error) {
	var b memory
	if err := from.blob(ctx, d.Digest, &b); err != nil {
		return nil, err
	}
	return b.content, nil
}

// memory is a sink for documents. Write is its only method for data, because it counts them.
type memory struct{ content []byte }

func (m *memory) Write(p []byte) (int, error) {
	if len(m.content)+len(p) > ociread.MaxSize {
		return 0, fmt.Errorf("the configuration is larger than %d MiB", ociread.MaxSize>>20)
	}
	m.content = append(m.content, p...)
	return len(p), nil
}

func (m *memory) Reset() { m.content = nil }

// lazy opens a source when it is first needed.
type lazy struct {
	open   func() (source, error)
	opened source
}

func (l *lazy) get() (source, error) {
	if l.opened != nil {
		return l.opened, nil
	}
	var err error
	l.opened, err = l.open()
	return l.opened, err
}

func (l *lazy) close() {
	if l.opened != nil {
		l.opened.close()
	}
}

func hashOf(b []byte) v1.Hash {
	sum := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

func (s *Store) open(ctx context.Context, ref Reference) (source, error) {
	if ref.Kind == Layout {
		return openLayout(s.Abs(ref.Path), ref.Path)
	}
	repo, err := s.Open(ctx, ref.Repository)
	if err != nil {
		return nil, err
	}
	return &remote{repo: repo, ref: ref}, nil
}
