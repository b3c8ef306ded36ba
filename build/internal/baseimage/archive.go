package baseimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/compress"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/plan"
)

// lockArchive pins the image of a `docker save` by its configuration, regardless of the
// compression of its layers.
func (s *Store) lockArchive(ctx context.Context, ref string, parsed Reference,
	platforms []plan.Platform) (plan.ImageLock, error) {
	fail := func(err error) (plan.ImageLock, error) {
		return plan.ImageLock{}, fmt.Errorf("read docker archive %s: %w", parsed.Path, err)
	}
	a, err := openArchive(ctx, s.Abs(parsed.Path))
	if err != nil {
		return fail(err)
	}
	raw, err := a.read(ctx, a.config, ociread.MaxSize)
	if err != nil {
		return fail(err)
	}
	config, err := ociread.ParseConfig(raw)
	if err != nil {
		return fail(err)
	}
	d := v1.Descriptor{Digest: hashOf(raw), MediaType: types.DockerConfigJSON, Size: int64(len(raw)),
		Platform: config.Platform()}
	l := plan.ImageLock{Reference: ref, Digest: d.Digest.String(), MediaType: string(d.MediaType)}
	missing := &MissingError{Reference: ref, Has: []string{platformOf(*d.Platform)}}
	for _, want := range platforms {
		if _, ok := choose([]v1.Descriptor{d}, want); !ok {
			missing.Platforms = append(missing.Platforms, want)
			continue
		}
		l.Platforms = append(l.Platforms, plan.ImagePlatformLock{Platform: want, Digest: l.Digest,
			MediaType: l.MediaType, Size: d.Size})
	}
	if len(missing.Platforms) > 0 {
		return l, missing
	}
	return l, nil
}

// archived returns the image of an archive. It compresses the layers again, so that one lock
// gives one image, regardless of their compression in the archive.
func (s *Store) archived(ctx context.Context, parsed Reference, digest v1.Hash) (*Image, error) {
	fail := func(err error) (*Image, error) {
		return nil, fmt.Errorf("read docker archive %s: %w", parsed.Path, err)
	}
	var opened *dockerArchive
	open := func() (*dockerArchive, error) {
		if opened != nil {
			return opened, nil
		}
		var err error
		opened, err = openArchive(ctx, s.Abs(parsed.Path))
		return opened, err
	}
	raw, err := s.document("config", digest, func() ([]byte, error) {
		a, err := open()
		if err != nil {
			return nil, err
		}
		return a.read(ctx, a.config, ociread.MaxSize)
	})
	if err != nil {
		return fail(err)
	}
	made := &Image{Digest: digest}
	if made.Config, err = ociread.ParseConfig(raw); err != nil {
		return fail(err)
	}
	for i, diffID := range made.Config.RootFS.DiffIDs {
		layer, err := s.Cache.Layer(ctx, "docker-archive "+diffID.String(), s.Compression,
			func(w io.Writer) error {
				a, err := open()
				if err != nil {
					return err
				}
				if i >= len(a.layers) {
					return fmt.Errorf("it has %d layers, but its configuration lists more", len(a.layers))
				}
				return copyLayer(ctx, w, a, a.layers[i], diffID)
			})
		if err != nil {
			return fail(err)
		}
		made.Layers = append(made.Layers, layer)
	}
	return made, nil
}

// copyLayer writes the tar of a layer, and compares it with its hash.
func copyLayer(ctx context.Context, w io.Writer, a *dockerArchive, name string, diffID v1.Hash) error {
	member, err := a.open(ctx, name)
	if err != nil {
		return err
	}
	defer member.Close() // only read
	content, err := compress.NewReaderOfAny(member)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(w, sum), limit.Bytes(limit.Reader(ctx, content), maxLayer))
	if err = errors.Join(err, content.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); diffID.Algorithm != "sha256" || got != diffID.Hex {
		return fmt.Errorf("layer %s: %w: its content is sha256:%s", diffID, cache.ErrCorrupt, got)
	}
	return nil
}
