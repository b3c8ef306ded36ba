package base

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/baseimage"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/layerfs"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/plan"
)

// Sources says where bases are read from, where they are cached, and how progress is shown.
type Sources struct {
	// Path makes a path of a file or folder absolute.
	Path func(string) string
	// Open opens a repository to read from it.
	Open func(ctx context.Context, repository string) (*registry.Repository, error)
	// Debian is where packages come from.
	Debian debian.Mirror
	// Cache keeps layers and results; only Lock works without it.
	Cache *cache.Cache
	// CacheVersion separates the results of this version of thimble from those of others.
	CacheVersion string
	// Compression is that of the layers that are made here.
	Compression plan.Compression
	// Stage runs a stage and shows it, with the outcome that it returns.
	Stage func(name string, stage func() (outcome string, err error)) error
	// Notice shows a notice to the user; the run continues.
	Notice func(text string)
}

// images returns the store of existing images.
func (s Sources) images() *baseimage.Store {
	return &baseimage.Store{Abs: s.Path, Open: s.Open, Cache: s.Cache, Compression: s.Compression}
}

// cached is cache.JSON for results of this version of thimble.
func cached[T any](s Sources, key string, make func() (T, error)) (T, error) {
	return cache.JSON(s.Cache, s.CacheVersion+key, make)
}

// base returns a Base that reads the content of its layers when it is needed. diffIDs, if any,
// are the hashes that the layers must have without compression.
func (s Sources) base(img *image.Base, key string, diffIDs []v1.Hash) Base {
	files := once(func(ctx context.Context) (*layerfs.FS, error) { return s.files(ctx, img, diffIDs) })
	return Base{Image: img, Key: key, files: files,
		covers: func(ctx context.Context, uid string) ([]string, error) {
			return cached(s, "covers-"+key+" "+uid, func() ([]string, error) {
				fs, err := files(ctx)
				if err != nil {
					return nil, err
				}
				return fs.Covers(uid), nil
			})
		}}
}

// files reads the layers of a base.
func (s Sources) files(ctx context.Context, img *image.Base, diffIDs []v1.Hash) (*layerfs.FS, error) {
	var layers []layerfs.Layer
	for i, l := range img.Layers {
		digest, err := l.Digest()
		if err != nil {
			return nil, err
		}
		var diffID *v1.Hash
		key := "files-" + digest.String()
		if diffIDs != nil {
			diffID = &diffIDs[i]
			key += " " + diffID.String()
		}
		layer, err := cached(s, key, func() (layerfs.Layer, error) { return scan(ctx, l, diffID) })
		if err != nil {
			return nil, fmt.Errorf("base %s: layer %s: %w", img.Name, digest, err)
		}
		layers = append(layers, layer)
	}
	fs, err := layerfs.Stack(layers...)
	if err != nil {
		return nil, fmt.Errorf("base %s: %w", img.Name, err)
	}
	return fs, nil
}

// scan reads a layer. diffID, if any, must be the hash of its tar.
func scan(ctx context.Context, l v1.Layer, diffID *v1.Hash) (layerfs.Layer, error) {
	content, err := l.Uncompressed()
	if err != nil {
		return layerfs.Layer{}, err
	}
	h := sha256.New()
	files, err := layerfs.Scan(io.TeeReader(limit.Bytes(limit.Reader(ctx, content), store.MaxLayer), h))
	if err = errors.Join(err, content.Close()); err != nil {
		return layerfs.Layer{}, err
	}
	if got := hex.EncodeToString(h.Sum(nil)); diffID != nil && got != diffID.Hex {
		err := fmt.Errorf("%w: its content is sha256:%s, but the configuration says %s",
			cache.ErrCorrupt, got, *diffID)
		return layerfs.Layer{}, err
	}
	return files, nil
}
