package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func TestLayoutIsWholeAndNamed(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "dist")
	index := indexOf("app", inCache(t.TempDir(), layerOf("etc/passwd", []byte("nonroot"))))
	for _, test := range []struct{ ref, tag, containerd string }{
		{"api:v1.2.3", "v1.2.3", "docker.io/library/api:v1.2.3"},
		{"ghcr.io/acme/api:main", "main", "ghcr.io/acme/api:main"},
		{"acme/api", "latest", "docker.io/acme/api:latest"},
		{"localhost:5000/api:v1", "v1", "localhost:5000/api:v1"},
	} {
		d := open(t, dir)
		ok(t, d.Layout(ctx, "oci/api", named(test.ref, index)))
		ok(t, d.Commit(ctx, []byte("1")))
		ok(t, valid(filepath.Join(dir, "oci/api")))

		var top v1.IndexManifest
		ok(t, json.Unmarshal(must(os.ReadFile(filepath.Join(dir, "oci/api/index.json"))), &top))
		if len(top.Manifests) != 1 || top.SchemaVersion != 2 {
			t.Fatalf("index.json is %+v", top)
		}
		m := top.Manifests[0]
		if m.Digest != must(index.Digest()) || m.Size != must(index.Size()) || m.MediaType != types.OCIImageIndex {
			t.Errorf("descriptor is %+v", m)
		}
		if got := m.Annotations["org.opencontainers.image.ref.name"]; got != test.tag {
			t.Errorf("%s: tag is %q", test.ref, got)
		}
		if got := m.Annotations["io.containerd.image.name"]; got != test.containerd {
			t.Errorf("%s: containerd's name is %q", test.ref, got)
		}
	}
	if got := string(must(os.ReadFile(filepath.Join(dir, "oci/api/oci-layout")))); got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout is %s", got)
	}
}

func TestLayoutIsDeterministic(t *testing.T) {
	ctx := context.Background()
	var trees []map[string]file
	for range 2 {
		dir := filepath.Join(t.TempDir(), "dist")
		d := open(t, dir)
		ok(t, d.Layout(ctx, "oci/api", named("api:v1", indexOf("app", layerOf("etc/passwd", []byte("nonroot"))))))
		ok(t, d.Commit(ctx, []byte("1")))
		trees = append(trees, tree(t, dir))
	}
	same(t, trees[1], trees[0])
}

// A layout has the blobs of its images and no others: two platforms' indexes, their
// two manifests and configurations, three layers.
func TestStaleBlobsLeave(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "dist")
	shared := inCache(t.TempDir(), layerOf("etc/passwd", []byte("nonroot")))
	for _, content := range []string{"one", "two"} {
		d := open(t, dir)
		ok(t, d.Layout(ctx, "oci/api", named("api:v1", indexOf(content, shared))))
		ok(t, d.Commit(ctx, []byte(content)))
		ok(t, valid(filepath.Join(dir, "oci/api")))
		if blobs := must(os.ReadDir(filepath.Join(dir, "oci/api/blobs/sha256"))); len(blobs) != 1+2+2+3 {
			t.Errorf("%d blobs after %s", len(blobs), content)
		}
	}
}

func TestLayerFilesAreCopied(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "dist")
	layer := inCache(t.TempDir(), layerOf("etc/passwd", []byte("nonroot")))
	d := open(t, dir)
	ok(t, d.Layout(ctx, "oci/api", named("api:v1", indexOf("app", layer))))
	ok(t, d.Commit(ctx, []byte("1")))
	blob := must(os.Stat(filepath.Join(dir, "oci/api/blobs/sha256", must(layer.Digest()).Hex)))
	if os.SameFile(blob, must(os.Stat(layer.(cached).file))) {
		t.Error("the blob is a link to the cache's file")
	}
}

func TestNestedIndexes(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "dist")
	outer := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for range 2 {
		outer = mutate.AppendManifests(outer, mutate.IndexAddendum{Add: must(random.Index(512, 2, 2))})
	}
	d := open(t, dir)
	ok(t, d.Layout(ctx, "oci/api", named("api:v1", outer)))
	ok(t, d.Commit(ctx, []byte("1")))
	ok(t, valid(filepath.Join(dir, "oci/api")))
}

// lying is a layer whose content is not what its digest and size say.
type lying struct {
	v1.Layer
	content string
}

func (l lying) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(l.content)), nil
}

func TestWrongBlobsAreErrors(t *testing.T) {
	ctx := context.Background()
	layer := layerOf("etc/passwd", []byte("nonroot"))
	short := inCache(t.TempDir(), layer)
	ok(t, os.Truncate(short.(cached).file, 3))
	for name, test := range map[string]struct {
		index v1.ImageIndex
		says  string
	}{
		"another content": {indexOf("x", lying{layer, "something else"}), "the content does not match the digest"},
		"truncated cache": {indexOf("x", short), "has 3 bytes"},
		"another kind": {mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
			Add: staticLayer([]byte("{}"), "application/json"),
		}), "neither an image nor an index"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dist")
			d := open(t, dir)
			err := d.Layout(ctx, "oci/api", named("api:v1", test.index))
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error is %v, want %q", err, test.says)
			}
			ok(t, d.Close())
			if left := tree(t, dir); left != nil {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestCancelledWhileABlobIsWritten(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	layer := layerOf("etc/passwd", []byte("nonroot"))
	dir := filepath.Join(t.TempDir(), "dist")
	d := open(t, dir)
	err := d.Layout(ctx, "oci/api", named("api:v1", indexOf("x", cancelling{layer, func() { cancel(stop) }})))
	if !errors.Is(err, stop) {
		t.Errorf("error is %v", err)
	}
	ok(t, d.Close())
	if left := tree(t, dir); left != nil {
		t.Errorf("left: %v", left)
	}
}

// cancelling ends the context when it is read.
type cancelling struct {
	v1.Layer
	cancel func()
}

func (c cancelling) Compressed() (io.ReadCloser, error) {
	c.cancel()
	return c.Layer.Compressed()
}
