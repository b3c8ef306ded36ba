package ociread

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// Blobs is the source of an image's parts.
type Blobs interface {
	// OpenBlob reads a blob: never more bytes than its descriptor says.
	OpenBlob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error)
}

// Blob reads a whole blob, of at most this many bytes, and checks its digest and size.
func Blob(ctx context.Context, from Blobs, d v1.Descriptor, most int64) ([]byte, error) {
	if d.Size < 0 || d.Size > most {
		return nil, fmt.Errorf("read %s: %w: it has %d bytes, but at most %d are allowed", d.Digest,
			limit.ErrTooLarge, d.Size, most)
	}
	content, err := from.OpenBlob(ctx, d)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(make([]byte, 0, min(d.Size+bytes.MinRead, 1<<20)))
	_, err = b.ReadFrom(limit.Bytes(limit.Reader(ctx, content), d.Size))
	if err = errors.Join(err, content.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", d.Digest, err)
	}
	if sum := sha256.Sum256(b.Bytes()); d.Digest.Algorithm != "sha256" ||
		hex.EncodeToString(sum[:]) != d.Digest.Hex || int64(b.Len()) != d.Size {
		return nil, fmt.Errorf("read %s: its content is sha256:%x, of %d bytes instead of %d", d.Digest,
			sum, b.Len(), d.Size)
	}
	return b.Bytes(), nil
}

// Image returns an image with this manifest. The configuration, of at most [MaxSize] bytes, and
// each whole layer are read when they are needed: a layer of more than most bytes is an error.
// ctx cancels the reading.
func Image(ctx context.Context, from Blobs, raw []byte, mediaType types.MediaType,
	most int64) (v1.Image, error) {
	m, err := ParseImage(raw)
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(&image{ctx: ctx, from: from, raw: raw, manifest: m,
		mediaType: mediaType, most: most})
}

type image struct {
	ctx       context.Context
	from      Blobs
	raw       []byte
	manifest  *v1.Manifest
	mediaType types.MediaType
	most      int64
}

func (i *image) MediaType() (types.MediaType, error) { return i.mediaType, nil }
func (i *image) RawManifest() ([]byte, error)        { return i.raw, nil }
func (i *image) RawConfigFile() ([]byte, error) {
	return Blob(i.ctx, i.from, i.manifest.Config, MaxSize)
}

func (i *image) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, d := range append([]v1.Descriptor{i.manifest.Config}, i.manifest.Layers...) {
		if d.Digest == h {
			return &layer{i, d}, nil
		}
	}
	return nil, fmt.Errorf("the image has no layer %s", h)
}

type layer struct {
	of *image
	d  v1.Descriptor
}

func (l *layer) Digest() (v1.Hash, error)            { return l.d.Digest, nil }
func (l *layer) Size() (int64, error)                { return l.d.Size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return l.d.MediaType, nil }
func (l *layer) Compressed() (io.ReadCloser, error) {
	b, err := Blob(l.of.ctx, l.of.from, l.d, l.of.most)
	return io.NopCloser(bytes.NewReader(b)), err
}
