package publish_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/publish"
)

// TestMain lets the tests start this binary as another run: see crash_linux_test.go
// and lock_test.go.
func TestMain(m *testing.M) {
	if role := os.Getenv("PUBLISH_TEST_ROLE"); role != "" {
		if err := roles[role](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// roles are what this binary does as another process.
var roles = map[string]func(args []string) error{}

// must is for values that a test needs and does not test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// named is a layout's content with nothing but an index.
func named(ref string, index v1.ImageIndex) publish.Content {
	return publish.Content{Reference: ref, Index: index}
}

// cached is a layer whose compressed blob is in a file, as those of the image
// stage are.
type cached struct {
	v1.Layer
	file string
}

func (c cached) File() *os.File { return must(os.Open(c.file)) }

// copied stages a copy of a file as rel.
func copied(ctx context.Context, d *publish.Dist, rel, src string) error {
	f, err := os.Open(src)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := filesum.Sums{}.Of(ctx, f)
	if err != nil {
		return err
	}
	return d.Copy(ctx, rel, f, sum)
}

// tarOf is a tar with one file.
func tarOf(name string, content []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
		panic(err)
	}
	must(w.Write(content))
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// layerOf is a gzip layer that holds one file.
func layerOf(name string, content []byte) v1.Layer {
	data := tarOf(name, content)
	return must(tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching))
}

// inCache gives the layer a file, below folder, with its compressed blob. As in any
// cache, a file that is there is not rewritten.
func inCache(folder string, layer v1.Layer) v1.Layer {
	file := filepath.Join(folder, must(layer.Digest()).Hex)
	if _, err := os.Stat(file); err == nil {
		return cached{layer, file}
	}
	r := must(layer.Compressed())
	defer r.Close()
	if err := atomicfile.Write(file, must(io.ReadAll(r)), 0o644); err != nil {
		panic(err)
	}
	return cached{layer, file}
}

func imageOf(platform v1.Platform, layers ...v1.Layer) v1.Image {
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	image = must(mutate.ConfigFile(image, &v1.ConfigFile{OS: platform.OS, Architecture: platform.Architecture, RootFS: v1.RootFS{Type: "layers"}}))
	return must(mutate.AppendLayers(image, layers...))
}

// indexOf is an index of two platforms, each with the shared layers and one more.
func indexOf(content string, shared ...v1.Layer) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		platform := v1.Platform{OS: "linux", Architecture: arch}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        imageOf(platform, append(shared, layerOf("app", []byte(content+arch)))...),
			Descriptor: v1.Descriptor{Platform: &platform},
		})
	}
	return index
}

// open opens the folder and closes it when the test ends.
func open(t testing.TB, dir string) *publish.Dist {
	t.Helper()
	d, err := publish.Open(context.Background(), dir, nil, filesum.Sums{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ok(t, d.Close()) })
	return d
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file is what a test compares of a file.
type file struct {
	mode fs.FileMode
	sum  string
}

// tree is every file and folder below dir; nil if dir is missing.
func tree(t testing.TB, dir string) map[string]file {
	t.Helper()
	if _, err := os.Lstat(dir); os.IsNotExist(err) {
		return nil
	}
	found := map[string]file{}
	ok(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		f := file{mode: info.Mode()}
		if info.Mode().IsRegular() {
			f.sum = sumOf(t, name)
		}
		rel, err := filepath.Rel(dir, name)
		found[filepath.ToSlash(rel)] = f
		return err
	}))
	return found
}

func sumOf(t testing.TB, name string) string {
	t.Helper()
	f, err := os.Open(name)
	ok(t, err)
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	ok(t, err)
	return hex.EncodeToString(sum.Sum(nil))
}

// names are the regular files of a tree.
func names(files map[string]file) map[string]bool {
	found := map[string]bool{}
	for name, f := range files {
		if f.mode.IsRegular() {
			found[name] = true
		}
	}
	return found
}

// same checks that two trees are one, byte for byte.
func same(t testing.TB, got, want map[string]file) {
	t.Helper()
	for name, w := range want {
		if g, there := got[name]; !there {
			t.Errorf("%s is gone", name)
		} else if g != w {
			t.Errorf("%s is %v, was %v", name, g, w)
		}
	}
	for name := range got {
		if _, there := want[name]; !there {
			t.Errorf("%s is new", name)
		}
	}
	if (got == nil) != (want == nil) {
		t.Errorf("the folder is there: %v, was: %v", got != nil, want != nil)
	}
}

// holds checks which files the folder has.
func holds(t testing.TB, dir string, want ...string) {
	t.Helper()
	wanted := map[string]bool{}
	for _, w := range want {
		wanted[w] = true
	}
	if got := names(tree(t, dir)); !maps.Equal(got, wanted) {
		t.Errorf("folder holds %v, want %v", got, wanted)
	}
}

// valid checks that a layout is whole, with the rules of go-containerregistry, and
// holds no blob that nothing refers to.
func valid(dir string) error {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return err
	}
	return validate.Index(index)
}

// staticLayer is a layer with any content under any media type.
func staticLayer(content []byte, mediaType types.MediaType) v1.Layer {
	return static.NewLayer(content, mediaType)
}

// noise is content that does not compress; the same each time.
func noise(size int) []byte {
	content := make([]byte, size)
	must(rand.NewChaCha8([32]byte{}).Read(content))
	return content
}

// unreadable is a layer that is read from its file, which may be gone.
type unreadable struct{ v1.Layer }

func (u unreadable) Compressed() (io.ReadCloser, error) {
	return os.Open(u.Layer.(cached).file)
}
