package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// containerdName is the annotation by which containerd, and the engines on top of
// it, name an image that they import from a layout.
const containerdName = "io.containerd.image.name"

// Content is what a layout holds.
type Content struct {
	// Reference is the index's name: "ghcr.io/acme/api:v1.2.3", or "api:v1.2.3".
	Reference string
	Index     v1.ImageIndex
	// Annotations are added to those of the index's descriptor.
	Annotations map[string]string
	// Referrers are further manifests, such as signatures.
	Referrers []Referrer
}

// Referrer is a manifest in a layout that the index does not refer to. Its descriptor
// in index.json has the annotations.
type Referrer struct {
	Image       v1.Image
	Annotations map[string]string
}

// Layout stages rel, such as "oci/api", as an OCI image layout (image-spec 1.1,
// image-layout.md) that holds the content and all that it refers to. The first
// descriptor of its index.json is that of the index, named by the tag of the
// reference, so that "oci:dist/oci/api:v1.2.3" means it.
//
// A layer with a method File() *os.File, which returns a file with the compressed blob
// that has been verified, is copied from it. Every other blob is verified while it is
// written. A blob that is in place with the right hash stays.
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
	if err := d.Write(path.Join(rel, imagespec.ImageLayoutFile), []byte(`{"imageLayoutVersion":"`+imagespec.ImageLayoutVersion+`"}`)); err != nil {
		return err
	}
	if err := d.index(ctx, rel, content.Index); err != nil {
		return err
	}
	manifests := []v1.Descriptor{*descriptor}
	for _, b := range content.Referrers {
		if err := d.image(ctx, rel, b.Image); err != nil {
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

// index stages the blobs of an index.
func (d *Dist) index(ctx context.Context, rel string, index v1.ImageIndex) error {
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
			if err := d.index(ctx, rel, child); err != nil {
				return err
			}
		case m.MediaType.IsImage():
			child, err := index.Image(m.Digest)
			if err != nil {
				return err
			}
			if err := d.image(ctx, rel, child); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s in the index is a %q, which is neither an image nor an index", m.Digest, m.MediaType)
		}
	}
	return d.document(rel, index.Digest, index.RawManifest)
}

// image stages the blobs of an image.
func (d *Dist) image(ctx context.Context, rel string, image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		if err := d.layer(ctx, rel, layer); err != nil {
			return err
		}
	}
	if err := d.document(rel, image.ConfigName, image.RawConfigFile); err != nil {
		return err
	}
	return d.document(rel, image.Digest, image.RawManifest)
}

// document stages a blob that is held in memory.
func (d *Dist) document(rel string, digest func() (v1.Hash, error), content func() ([]byte, error)) error {
	hash, err := digest()
	if err != nil {
		return err
	}
	data, err := content()
	if err != nil {
		return err
	}
	blob := blobPath(rel, hash)
	if !d.add(blob) {
		return nil
	}
	return d.write(blob, data)
}

func (d *Dist) layer(ctx context.Context, rel string, layer v1.Layer) error {
	hash, err := layer.Digest()
	if err != nil {
		return err
	}
	size, err := layer.Size()
	if err != nil {
		return err
	}
	blob := blobPath(rel, hash)
	if !d.add(blob) {
		return nil // another platform has it too
	}
	if err := d.blob(ctx, blob, hash, size, layer); err != nil {
		return fmt.Errorf("layer %s: %w", hash, err)
	}
	return nil
}

func (d *Dist) blob(ctx context.Context, blob string, hash v1.Hash, size int64, layer v1.Layer) error {
	have, there, err := d.inPlace(ctx, blob, hash.Hex)
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
		return d.fill(blob, 0o644, func(to *os.File) error { return d.copyFile(ctx, to, src, info, hash.Hex) })
	}
	if there {
		return nil
	}
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	return d.fill(blob, 0o644, func(to *os.File) error { return copyVerified(ctx, to, content, hash.Hex) })
}

var errCorrupt = errors.New("content is not that of the digest")

// copyVerified copies what must have this SHA-256, in hex.
func copyVerified(ctx context.Context, to io.Writer, from io.Reader, want string) error {
	sum := sha256.New()
	if err := copyChunks(ctx, io.MultiWriter(to, sum), from); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("%w: sha256 is %s", errCorrupt, got)
	}
	return nil
}

func blobPath(rel string, hash v1.Hash) string {
	return path.Join(rel, imagespec.ImageBlobsDir, hash.Algorithm, hash.Hex)
}
