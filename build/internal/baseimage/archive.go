package baseimage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/plan"
)

// lockArchive pins the image of a `docker save` by its configuration, whatever the
// compression of its layers.
func (s *Store) lockArchive(ref string, parsed Reference, platforms []plan.Platform) (plan.ImageLock, error) {
	img, err := tarball.ImageFromPath(s.Abs(parsed.Path), nil)
	if err != nil {
		return plan.ImageLock{}, fmt.Errorf("read docker archive %s: %w", parsed.Path, err)
	}
	raw, err := img.RawConfigFile()
	if err != nil {
		return plan.ImageLock{}, fmt.Errorf("read docker archive %s: %w", parsed.Path, err)
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(raw))
	if err != nil {
		return plan.ImageLock{}, fmt.Errorf("read docker archive %s: %w", parsed.Path, err)
	}
	d := v1.Descriptor{Digest: hashOf(raw), MediaType: types.DockerConfigJSON, Size: int64(len(raw)), Platform: config.Platform()}
	l := plan.ImageLock{Reference: ref, Digest: d.Digest.String(), MediaType: string(d.MediaType)}
	missing := &MissingError{Reference: ref, Has: []string{platformOf(*d.Platform)}}
	for _, want := range platforms {
		if _, ok := choose([]v1.Descriptor{d}, want); !ok {
			missing.Platforms = append(missing.Platforms, want)
			continue
		}
		l.Platforms = append(l.Platforms, plan.ImagePlatformLock{Platform: want, Digest: l.Digest, MediaType: l.MediaType, Size: d.Size})
	}
	if len(missing.Platforms) > 0 {
		return l, missing
	}
	return l, nil
}

// archived is the image of an archive. Its layers are compressed here, so that one lock
// gives one image, however they came.
func (s *Store) archived(ctx context.Context, parsed Reference, digest v1.Hash) (*Image, error) {
	fail := func(err error) (*Image, error) {
		return nil, fmt.Errorf("read docker archive %s: %w", parsed.Path, err)
	}
	var opened v1.Image
	open := func() (v1.Image, error) {
		if opened != nil {
			return opened, nil
		}
		var err error
		opened, err = tarball.ImageFromPath(s.Abs(parsed.Path), nil)
		return opened, err
	}
	raw, err := s.document("config", digest, func() ([]byte, error) {
		img, err := open()
		if err != nil {
			return nil, err
		}
		return img.RawConfigFile()
	})
	if err != nil {
		return fail(err)
	}
	made := &Image{Digest: digest}
	if made.Config, err = v1.ParseConfigFile(bytes.NewReader(raw)); err != nil {
		return fail(err)
	}
	for i, diffID := range made.Config.RootFS.DiffIDs {
		layer, err := s.Cache.Layer(ctx, "docker-archive "+diffID.String(), s.Compression, func(w io.Writer) error {
			img, err := open()
			if err != nil {
				return err
			}
			layers, err := img.Layers()
			if err != nil {
				return err
			}
			if i >= len(layers) {
				return fmt.Errorf("it has %d layers, and its configuration names more", len(layers))
			}
			content, err := layers[i].Uncompressed()
			if err != nil {
				return err
			}
			sum := sha256.New()
			_, err = io.Copy(io.MultiWriter(w, sum), content)
			if err = errors.Join(err, content.Close()); err != nil {
				return err
			}
			if got := hex.EncodeToString(sum.Sum(nil)); got != diffID.Hex {
				return fmt.Errorf("layer %s: %w: its content is sha256:%s", diffID, cache.ErrCorrupt, got)
			}
			return nil
		})
		if err != nil {
			return fail(err)
		}
		made.Layers = append(made.Layers, layer)
	}
	return made, nil
}
