package distfolder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/limit"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// written is a layout of one index of one image, in a folder of its own, and their digests.
func written(t *testing.T) (dir string, index, img, layer v1.Hash) {
	t.Helper()
	dir = t.TempDir()
	one, err := random.Image(5000, 1)
	ok(t, err)
	one = mutate.ConfigMediaType(mutate.MediaType(one, types.OCIManifestSchema1), types.OCIConfigJSON)
	all := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: one})
	top, err := layout.Write(filepath.Join(dir, "dist", "oci", "api"), empty.Index)
	ok(t, err)
	ok(t, top.AppendIndex(all))
	index, err = all.Digest()
	ok(t, err)
	img, err = one.Digest()
	ok(t, err)
	layers, err := one.Layers()
	ok(t, err)
	layer, err = layers[0].Digest()
	ok(t, err)
	return dir, index, img, layer
}

// read reads everything of a layout.
func read(t *testing.T, dir string, index, img v1.Hash) (*Index, error) {
	f, err := Open(dir, "dist")
	ok(t, err)
	defer f.Close()
	i, err := f.Index("oci/api", index.String())
	if err != nil || i == nil {
		return nil, err
	}
	image, err := i.Image(t.Context(), img.String())
	if err != nil {
		return nil, err
	}
	if _, err := image.ConfigFile(); err != nil {
		return nil, err
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		content, err := l.Compressed()
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(io.Discard, content); err != nil {
			return nil, err
		}
		if err := content.Close(); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// A layout is read as it was written; whatever else a build puts in its place is an error, takes no
// memory and waits for nobody.
func TestLayout(t *testing.T) {
	const none = "none"
	for what, test := range map[string]struct {
		change func(t *testing.T, dir string, blob func(v1.Hash) string, index, img, layer v1.Hash)
		want   string
	}{
		"nothing": {func(*testing.T, string, func(v1.Hash) string, v1.Hash, v1.Hash, v1.Hash) {}, ""},
		"no layout": {func(t *testing.T, dir string, _ func(v1.Hash) string, _, _, _ v1.Hash) {
			ok(t, os.RemoveAll(filepath.Join(dir, "dist", "oci")))
		}, none},
		"another image": {func(t *testing.T, dir string, _ func(v1.Hash) string, _, _, _ v1.Hash) {
			ok(t, os.WriteFile(filepath.Join(dir, "dist/oci/api/index.json"), []byte(`{"manifests":[{}]}`), 0o644))
		}, none},
		"a large index.json": {func(t *testing.T, dir string, _ func(v1.Hash) string, _, _, _ v1.Hash) {
			ok(t, os.Truncate(filepath.Join(dir, "dist/oci/api/index.json"), 1<<40))
		}, "it is too large: more than 4 MiB"},
		"a large index": {func(t *testing.T, _ string, blob func(v1.Hash) string, index, _, _ v1.Hash) {
			ok(t, os.Truncate(blob(index), 1<<40))
		}, "it is too large: more than 4 MiB"},
		"another index": {func(t *testing.T, _ string, blob func(v1.Hash) string, index, _, _ v1.Hash) {
			ok(t, os.WriteFile(blob(index), []byte("{}"), 0o644))
		}, "its content is sha256:"},
		"another manifest": {func(t *testing.T, _ string, blob func(v1.Hash) string, _, img, _ v1.Hash) {
			ok(t, os.WriteFile(blob(img), []byte("{}"), 0o644))
		}, "its content is sha256:"},
		"a large layer": {func(t *testing.T, _ string, blob func(v1.Hash) string, _, _, layer v1.Hash) {
			ok(t, os.Truncate(blob(layer), 1<<40))
		}, "it is too large"},
		"a pipe for a layer": {func(t *testing.T, _ string, blob func(v1.Hash) string, _, _, layer v1.Hash) {
			ok(t, os.Remove(blob(layer)))
			ok(t, syscall.Mkfifo(blob(layer), 0o644))
		}, "not a regular file"},
		"a pipe for index.json": {func(t *testing.T, dir string, _ func(v1.Hash) string, _, _, _ v1.Hash) {
			ok(t, os.Remove(filepath.Join(dir, "dist/oci/api/index.json")))
			ok(t, syscall.Mkfifo(filepath.Join(dir, "dist/oci/api/index.json"), 0o644))
		}, "not a regular file"},
		"a device for a layer": {func(t *testing.T, _ string, blob func(v1.Hash) string, _, _, layer v1.Hash) {
			ok(t, os.Remove(blob(layer)))
			ok(t, os.Symlink("/dev/zero", blob(layer)))
		}, "escapes"},
		"a link for the folder of the blobs": {func(t *testing.T, dir string, _ func(v1.Hash) string, _, _, _ v1.Hash) {
			blobs, elsewhere := filepath.Join(dir, "dist/oci/api/blobs"), filepath.Join(t.TempDir(), "blobs")
			ok(t, os.Rename(blobs, elsewhere))
			ok(t, os.Symlink(elsewhere, blobs))
		}, "escapes"},
	} {
		t.Run(what, func(t *testing.T) {
			dir, index, img, layer := written(t)
			test.change(t, dir, func(h v1.Hash) string { return filepath.Join(dir, "dist/oci/api/blobs", h.Algorithm, h.Hex) }, index, img, layer)
			i, err := read(t, dir, index, img)
			switch test.want {
			case "", none:
				if err != nil || (i == nil) != (test.want == none) {
					t.Errorf("%v, %v", i, err)
				}
			default:
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v, want %q", err, test.want)
				}
			}
		})
	}
}

// Names lead to no other folder, and everything together has a limit.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	ok(t, os.Mkdir(filepath.Join(dir, "dist"), 0o755))
	ok(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600))
	document, err := json.Marshal(strings.Repeat("a", MaxDocument/2))
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(dir, "dist", "sbom"), document, 0o644))
	f, err := Open(dir, "dist")
	ok(t, err)
	defer f.Close()
	for _, name := range []string{"../secret", filepath.Join(dir, "secret"), "a/../../secret", ""} {
		if _, err := f.Read(name, MaxDocument); err == nil || !strings.Contains(err.Error(), "is not in the output folder") {
			t.Errorf("read %q: %v", name, err)
		}
		if _, err := f.Open(name); err == nil || !strings.Contains(err.Error(), "is not in the output folder") {
			t.Errorf("open %q: %v", name, err)
		}
	}
	n := 0
	for ; err == nil && n < 100; n++ {
		var b []byte
		if b, err = f.Read("sbom", MaxDocument); err == nil && !bytes.Equal(b, document) {
			t.Fatal("the document is another one")
		}
	}
	if want := maxTotal/len(document) + 1; n != want || !errors.Is(err, limit.ErrTooLarge) || !strings.Contains(err.Error(), fmt.Sprint(maxTotal>>20, " MiB")) {
		t.Errorf("it ends after %d documents, want %d: %v", n, want, err)
	}
}
