package publish_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/klauspost/compress/zstd"

	"github.com/thimble-build/thimble/build/internal/publish"
)

var linux = v1.Platform{OS: "linux", Architecture: "amd64"}

// zstdLayerOf is layerOf with the other compression.
func zstdLayerOf(name string, content []byte) v1.Layer {
	var b bytes.Buffer
	w := must(zstd.NewWriter(&b))
	must(w.Write(tarOf(name, content)))
	if err := w.Close(); err != nil {
		panic(err)
	}
	return must(partial.CompressedToLayer(compressed{staticLayer(b.Bytes(), types.OCILayerZStd)}))
}

// compressed is a layer that does not know what is in it.
type compressed struct{ partial.CompressedLayer }

func archiveOf(t testing.TB, refs []string, image v1.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	ok(t, publish.Archive(context.Background(), &b, refs, image))
	return b.Bytes()
}

// members are the files of a tar in their order.
func members(t testing.TB, archive []byte) (names []string, content map[string][]byte) {
	t.Helper()
	content = map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return names, content
		}
		ok(t, err)
		if !h.ModTime.Equal(h.ModTime.Truncate(0)) || h.ModTime.Unix() != 0 || h.Mode != 0o644 || h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("header is %+v", h)
		}
		names, content[h.Name] = append(names, h.Name), must(io.ReadAll(r))
	}
}

func TestArchiveOfGzipLayers(t *testing.T) {
	twice := layerOf("etc/passwd", []byte("nonroot"))
	image := imageOf(linux, twice, layerOf("app", []byte("app")), twice)
	archive := archiveOf(t, []string{"api:v1", "ghcr.io/acme/api"}, image)
	if !bytes.Equal(archive, archiveOf(t, []string{"api:v1", "ghcr.io/acme/api"}, image)) {
		t.Error("two archives differ")
	}
	names, content := members(t, archive)
	if last := names[len(names)-1]; last != "manifest.json" || len(names) != 4 {
		t.Errorf("the archive holds %v", names)
	}
	var manifest tarball.Manifest
	ok(t, json.Unmarshal(content["manifest.json"], &manifest))
	if want := []string{"api:v1", "ghcr.io/acme/api:latest"}; !reflect.DeepEqual(manifest[0].RepoTags, want) {
		t.Errorf("names are %v, want %v", manifest[0].RepoTags, want)
	}

	read, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }, nil)
	ok(t, err)
	ok(t, validate.Image(read))
	if got, want := must(read.ConfigName()), must(image.ConfigName()); got != want {
		t.Errorf("ID is %v, want %v", got, want)
	}
	if len(must(read.Layers())) != 3 {
		t.Errorf("%d layers", len(must(read.Layers())))
	}
}

// What comes out of an archive of zstd layers is the same image by its ID and
// layers, without anybody having to know zstd.
func TestArchiveOfZstdLayers(t *testing.T) {
	image := imageOf(linux, zstdLayerOf("etc/passwd", []byte("nonroot")), layerOf("app", []byte("app")))
	_, content := members(t, archiveOf(t, []string{"api:v1"}, image))
	var manifest tarball.Manifest
	ok(t, json.Unmarshal(content["manifest.json"], &manifest))
	if !bytes.Equal(content[manifest[0].Config], must(image.RawConfigFile())) {
		t.Error("the configuration has changed")
	}
	if !bytes.Equal(content[manifest[0].Layers[0]], tarOf("etc/passwd", []byte("nonroot"))) {
		t.Error("the zstd layer is not there uncompressed")
	}
	if hash, _, err := v1.SHA256(bytes.NewReader(content[manifest[0].Layers[1]])); err != nil || hash != must(must(image.Layers())[1].Digest()) {
		t.Errorf("the gzip layer has digest %v (%v)", hash, err)
	}
}

func TestArchiveErrors(t *testing.T) {
	image := imageOf(linux, layerOf("app", []byte("app")))
	if err := publish.Archive(context.Background(), io.Discard, []string{"API:v1"}, image); err == nil || !strings.Contains(err.Error(), "API") {
		t.Errorf("illegal name: %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	cancelled := imageOf(linux, cancelling{layerOf("app", []byte("app")), func() { cancel(stop) }})
	if err := publish.Archive(ctx, io.Discard, []string{"api:v1"}, cancelled); !errors.Is(err, stop) {
		t.Errorf("cancelled: %v", err)
	}
}

func BenchmarkArchive(b *testing.B) {
	content := make([]byte, 8<<20)
	for name, image := range map[string]v1.Image{
		"gzip": imageOf(linux, layerOf("app", content)),
		"zstd": imageOf(linux, zstdLayerOf("app", content)),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				ok(b, publish.Archive(context.Background(), io.Discard, []string{"api:v1"}, image))
			}
		})
	}
}
