package ociread

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Stream returns an image with this manifest, like [Image], but never has a whole layer in memory.
// A reader of a layer checks size and digest at the end, and returns an error instead of io.EOF.
// The DiffIDs are those of the configuration. ctx cancels the reading.
func Stream(ctx context.Context, from Blobs, raw []byte, mediaType types.MediaType) (v1.Image, error) {
	m, err := ParseImage(raw)
	if err != nil {
		return nil, err
	}
	s := &stream{image: &image{ctx: ctx, from: from, raw: raw, manifest: m, mediaType: mediaType}}
	s.diffIDs = sync.OnceValues(func() ([]v1.Hash, error) {
		raw, err := s.image.RawConfigFile()
		if err != nil {
			return nil, err
		}
		config, err := ParseConfig(raw)
		if err != nil {
			return nil, err
		}
		return config.RootFS.DiffIDs, nil
	})
	return partial.CompressedToImage(s)
}

type stream struct {
	*image
	// diffIDs reads them once. The configuration is not kept: it may be large.
	diffIDs func() ([]v1.Hash, error)
}

// RawConfigFile fails if the configuration has too many parts, because its callers decode it.
func (s *stream) RawConfigFile() ([]byte, error) {
	raw, err := s.image.RawConfigFile()
	if err == nil {
		_, err = ParseConfig(raw)
	}
	return raw, err
}

func (s *stream) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for i, d := range s.manifest.Layers {
		if d.Digest == h {
			return &streamLayer{layer{s.image, d}, i, s.diffIDs}, nil
		}
	}
	return s.image.LayerByDigest(h)
}

type streamLayer struct {
	layer
	index   int
	diffIDs func() ([]v1.Hash, error)
}

// DiffID keeps go-containerregistry from unpacking the layer.
func (l *streamLayer) DiffID() (v1.Hash, error) {
	ids, err := l.diffIDs()
	if err != nil {
		return v1.Hash{}, err
	}
	if l.index < len(ids) {
		return ids[l.index], nil
	}
	return v1.Hash{}, fmt.Errorf("the configuration has no DiffID of layer %s", l.d.Digest)
}

func (l *streamLayer) Compressed() (io.ReadCloser, error) {
	content, err := l.of.from.OpenBlob(l.of.ctx, l.d)
	if err != nil {
		return nil, err
	}
	return &checked{ReadCloser: content, d: l.d, sum: sha256.New()}, nil
}

// checked is a blob that is checked at its end.
type checked struct {
	io.ReadCloser
	d    v1.Descriptor
	sum  hash.Hash
	size int64
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.sum.Write(p[:n])
	c.size += int64(n)
	if err != io.EOF {
		return n, err
	}
	if is := hex.EncodeToString(c.sum.Sum(nil)); c.d.Digest.Algorithm != "sha256" || is != c.d.Digest.Hex ||
		c.size != c.d.Size {
		return n, fmt.Errorf("read %s: its content is sha256:%s, of %d bytes instead of %d", c.d.Digest,
			is, c.size, c.d.Size)
	}
	return n, io.EOF
}
