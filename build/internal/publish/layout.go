package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
)

// containerdName is the annotation by which containerd, and engines based on it, name an image
// that they import from a layout.
const containerdName = "io.containerd.image.name"

// Content is the content of a layout.
type Content struct {
	// Reference is the index's name: "ghcr.io/acme/api:v1.2.3", or "api:v1.2.3".
	Reference string
	Index     v1.ImageIndex
	// Annotations are added to those of the index's descriptor.
	Annotations map[string]string
	// Referrers are additional manifests, such as signatures.
	Referrers []Referrer
}

// Referrer is a manifest in a layout that the index does not refer to. Its descriptor in
// index.json has the annotations.
type Referrer struct {
	Image       v1.Image
	Annotations map[string]string
}

// Layout stages rel, such as "oci/api", as an OCI image layout (image-spec 1.1,
// image-layout.md) with the content and everything it refers to. The first descriptor of its
// index.json is that of the index, named by the tag of the reference, so that
// "oci:dist/oci/api:v1.2.3" refers to it.
//
// A layer with a method File() *os.File is copied from that file, which must contain the
// verified compressed blob. Every other blob is verified while it is written. A blob that is in
// place with the right hash is kept.
func (d *Dist) Layout(ctx context.Context, rel string, content Content) error {
	if err := d.layout(ctx, rel, content); err != nil {
		return fmt.Errorf("stage layout %s: %w", d.path(rel), err)
	}
	return nil
}

func (d *Dist) layout(ctx context.Context, rel string, content Content) error {
	if top, _, _ := strings.Cut(rel, "/"); top != "oci" {
		return errors.New("not below oci")
	}
	tag, err := name.NewTag(content.Reference)
	if err != nil {
		return err
	}
	descriptor, err := partial.Descriptor(content.Index)
	if err != nil {
		return err
	}
	descriptor.Annotations = map[string]string{
		imagespec.AnnotationRefName: tag.TagStr(),
		containerdName:              strings.Replace(tag.Name(), name.DefaultRegistry+"/", "docker.io/", 1),
	}
	maps.Copy(descriptor.Annotations, content.Annotations)
	if err := d.Write(path.Join(rel, imagespec.ImageLayoutFile),
		[]byte(`{"imageLayoutVersion":"`+imagespec.ImageLayoutVersion+`"}`)); err != nil {
		return err
	}
	blobs := layout{d, rel}
	if err := blobs.index(ctx, content.Index); err != nil {
		return err
	}
	manifests := []v1.Descriptor{*descriptor}
	for _, b := range content.Referrers {
		if err := blobs.image(ctx, b.Image); err != nil {
			return err
		}
		descriptor, err := partial.Descriptor(b.Image)
		if err != nil {
			return err
		}
		descriptor.Annotations = b.Annotations
		manifests = append(manifests, *descriptor)
	}
	top, err := json.MarshalIndent(v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Manifests:     manifests,
	}, "", "  ")
	if err != nil {
		return err
	}
	return d.Write(path.Join(rel, imagespec.ImageIndexFile), append(top, '\n'))
}

// layout stages the blobs of the layout rel.
type layout struct {
	dist *Dist
	rel  string
}

// index stages the blobs of an index.
func (l layout) index(ctx context.Context, index v1.ImageIndex) error {
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, m := range manifest.Manifests {
		switch {
		case m.MediaType.IsIndex():
			child, err := index.ImageIndex(m.Digest)
			if err != nil {
				return err
			}
			if err := l.index(ctx, child); err != nil {
				return err
			}
		case m.MediaType.IsImage():
			child, err := index.Image(m.Digest)
			if err != nil {
				return err
			}
			if err := l.image(ctx, child); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s in the index is a %q, which is neither an image nor an index",
				m.Digest, m.MediaType)
		}
	}
	return l.document(index.Digest, index.RawManifest)
}

// image stages the blobs of an image.
func (l layout) image(ctx context.Context, image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		if err := l.layer(ctx, layer); err != nil {
			return err
		}
	}
	if err := l.document(image.ConfigName, image.RawConfigFile); err != nil {
		return err
	}
	return l.document(image.Digest, image.RawManifest)
}

// document stages a blob that is in memory.
func (l layout) document(digest func() (v1.Hash, error), content func() ([]byte, error)) error {
	hash, err := digest()
	if err != nil {
		return err
	}
	data, err := content()
	if err != nil {
		return err
	}
	blob := l.path(hash)
	if !l.dist.add(blob) {
		return nil
	}
	return l.dist.write(blob, data)
}

func (l layout) layer(ctx context.Context, layer v1.Layer) error {
	hash, err := layer.Digest()
	if err != nil {
		return err
	}
	size, err := layer.Size()
	if err != nil {
		return err
	}
	blob := l.path(hash)
	if !l.dist.add(blob) {
		return nil // another platform has the same blob
	}
	if err := l.blob(ctx, blob, hash, size, layer); err != nil {
		return fmt.Errorf("layer %s: %w", hash, err)
	}
	return nil
}

func (l layout) blob(ctx context.Context, blob string, hash v1.Hash, size int64, layer v1.Layer) error {
	have, there, err := l.dist.inPlace(ctx, blob, hash.Hex)
	if err != nil {
		return err
	}
	if source, ok := layer.(interface{ File() *os.File }); ok {
		src := source.File()
		info, err := src.Stat()
		if err != nil || there && !os.SameFile(have, info) {
			return err
		}
		if info.Size() != size {
			return fmt.Errorf("%s has %d bytes, not %d", src.Name(), info.Size(), size)
		}
		return l.dist.fill(blob, 0o644, func(to *os.File) error {
			return l.dist.copyFile(ctx, to,
				src, info, hash.Hex)
		})
	}
	if there {
		return nil
	}
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	return l.dist.fill(blob, 0o644, func(to *os.File) error {
		return copyVerified(ctx, to,
			content, hash.Hex)
	})
}

// path returns the path of a blob of the layout, below the output folder.
func (l layout) path(hash v1.Hash) string {
	return path.Join(l.rel, imagespec.ImageBlobsDir, hash.Algorithm, hash.Hex)
}
