package publish

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// Archive writes the image to w like `docker save`, under the names refs, such as
// "ghcr.io/acme/api:v1.2.3" or "api:v1.2.3". It streams: no layer is kept in memory. The same
// image and names give the same bytes.
//
// A zstd layer is written uncompressed, because Docker reads such layers only since version 23.
// The image's ID, which is the digest of its configuration, does not change.
//
// manifest.json, which names the image, is the last file, so that an incomplete archive cannot
// be loaded.
func Archive(ctx context.Context, w io.Writer, refs []string, image v1.Image) error {
	if err := archive(ctx, tar.NewWriter(limit.Writer(ctx, w)), refs, image); err != nil {
		return fmt.Errorf("write docker archive: %w", err)
	}
	return nil
}

func archive(ctx context.Context, w *tar.Writer, refs []string, image v1.Image) error {
	tags, err := repoTags(refs)
	if err != nil {
		return err
	}
	id, err := image.ConfigName()
	if err != nil {
		return err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	manifest := tarball.Descriptor{Config: id.Hex + ".json", RepoTags: tags, Layers: []string{}}
	if err := entry(w, manifest.Config, int64(len(config)), bytes.NewReader(config)); err != nil {
		return err
	}
	for _, layer := range layers {
		file, err := layerFile(ctx, layer)
		if err != nil {
			return err
		}
		if !slices.Contains(manifest.Layers, file.name) {
			if err := file.write(ctx, w); err != nil {
				return fmt.Errorf("layer %s: %w", file.name, err)
			}
		}
		manifest.Layers = append(manifest.Layers, file.name)
	}
	top, err := json.Marshal([]tarball.Descriptor{manifest})
	if err != nil {
		return err
	}
	if err := entry(w, "manifest.json", int64(len(top)), bytes.NewReader(top)); err != nil {
		return err
	}
	return w.Close()
}

// repoTags checks the names, and adds the tag "latest" to names without a tag.
func repoTags(refs []string) ([]string, error) {
	tags := make([]string, 0, len(refs))
	for _, ref := range refs {
		tag, err := name.NewTag(ref)
		if err != nil {
			return nil, err
		}
		tags = append(tags, strings.TrimSuffix(ref, ":"+tag.TagStr())+":"+tag.TagStr())
	}
	return tags, nil
}

// archived is a layer in the archive.
type archived struct {
	name string
	size int64
	open func() (io.ReadCloser, error)
}

func layerFile(ctx context.Context, layer v1.Layer) (archived, error) {
	hash, err := layer.Digest()
	if err != nil {
		return archived{}, err
	}
	mediaType, err := layer.MediaType()
	if err != nil {
		return archived{}, err
	}
	if mediaType != types.OCILayerZStd {
		size, err := layer.Size()
		return archived{hash.Hex + ".tar.gz", size, layer.Compressed}, err
	}
	// The header comes before the content, so a zstd layer is decompressed twice. Otherwise it
	// would need a temporary file or the whole layer in memory.
	content, err := layer.Uncompressed()
	if err != nil {
		return archived{}, err
	}
	defer content.Close()
	var size counter
	err = copyChunks(ctx, &size, content)
	return archived{hash.Hex + ".tar", int64(size), layer.Uncompressed}, err
}

// counter counts the bytes that are written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func (a archived) write(ctx context.Context, w *tar.Writer) error {
	content, err := a.open()
	if err != nil {
		return err
	}
	defer content.Close()
	return entry(w, a.name, a.size, limit.Reader(ctx, content))
}

func entry(w *tar.Writer, name string, size int64, content io.Reader) error {
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644,
		Size: size}); err != nil {
		return err
	}
	_, err := io.Copy(w, content)
	return err
}
