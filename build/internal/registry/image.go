package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// maxDocuments bounds what Image reads of all layers together, in bytes.
const maxDocuments = 256 << 20

// Manifest reads a manifest by its digest, every byte checked. The error says so where
// there is none.
func (r *Repository) Manifest(ctx context.Context, digest v1.Hash) ([]byte, v1.Descriptor, error) {
	found, err := r.get(ctx, digest.String())
	if err == nil && found == nil {
		err = ErrNoImage
	}
	if err != nil {
		return nil, v1.Descriptor{}, r.explain(ctx, "read", digest.String(), err)
	}
	return found.raw, v1.Descriptor{MediaType: found.mediaType, Digest: digest, Size: int64(len(found.raw))}, nil
}

// Image reads an image of documents, such as a signature, whole and by its digest:
// every byte is checked, and the image outlives ctx. An image whose layers are larger
// than documents are is an error.
func (r *Repository) Image(ctx context.Context, digest v1.Hash) (v1.Image, error) {
	img, err := r.image(ctx, digest)
	return img, r.explain(ctx, "read", digest.String(), err)
}

// Referrer reads a referrer as Image does. It is nil where the manifest has another
// artifact type, for then it is somebody else's and of any size, and where a list still
// names what was removed from the registry.
func (r *Repository) Referrer(ctx context.Context, digest v1.Hash, artifactType string) (v1.Image, error) {
	found, err := r.get(ctx, digest.String())
	if err != nil || found == nil {
		return nil, r.explain(ctx, "read", digest.String(), err)
	}
	var is struct {
		ArtifactType string `json:"artifactType"`
	}
	if json.Unmarshal(found.raw, &is) != nil || is.ArtifactType != artifactType {
		return nil, nil
	}
	img, err := r.document(ctx, found)
	return img, r.explain(ctx, "read", digest.String(), err)
}

func (r *Repository) image(ctx context.Context, digest v1.Hash) (v1.Image, error) {
	found, err := r.get(ctx, digest.String())
	if err == nil && found == nil {
		err = ErrNoImage
	}
	if err != nil {
		return nil, err
	}
	return r.document(ctx, found)
}

// document reads the layers of a manifest.
func (r *Repository) document(ctx context.Context, found *manifest) (v1.Image, error) {
	manifest, err := v1.ParseManifest(bytes.NewReader(found.raw))
	if err != nil {
		return nil, problemf("it is no image")
	}
	d := &document{manifest: found.raw, mediaType: found.mediaType, layers: map[v1.Hash]v1.Layer{}}
	if d.config, err = r.blob(ctx, manifest.Config, maxDocuments); err != nil {
		return nil, err
	}
	left := int64(maxDocuments)
	for _, l := range manifest.Layers {
		content, err := r.blob(ctx, l, left)
		if err != nil {
			return nil, err
		}
		left -= l.Size
		d.layers[l.Digest] = static.NewLayer(content, l.MediaType)
	}
	return partial.CompressedToImage(d)
}

// blob reads a blob of at most so many bytes.
func (r *Repository) blob(ctx context.Context, d v1.Descriptor, limit int64) ([]byte, error) {
	if d.Size < 0 || d.Size > limit {
		return nil, problemf("a layer has %d bytes: it is no document", d.Size)
	}
	l, err := remote.Layer(r.name.Digest(d.Digest.String()), r.RemoteOptions(ctx)...)
	if err != nil {
		return nil, err
	}
	content, err := l.Compressed() // verifies the digest
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(content, d.Size+1))
	return b, errors.Join(err, content.Close())
}

// document is an image in memory.
type document struct {
	manifest, config []byte
	mediaType        types.MediaType
	layers           map[v1.Hash]v1.Layer
}

func (d *document) RawManifest() ([]byte, error)        { return d.manifest, nil }
func (d *document) RawConfigFile() ([]byte, error)      { return d.config, nil }
func (d *document) MediaType() (types.MediaType, error) { return d.mediaType, nil }
func (d *document) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if l, ok := d.layers[h]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("no layer %s", h)
}
