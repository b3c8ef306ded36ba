package assemble

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/plan"
)

// An asset that is edited while its layer is made, and restored, leaves nothing in the cache that
// a later image would take for the content of the commit.
func TestEditedAssetIsNotCached(t *testing.T) {
	dir := t.TempDir()
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "page"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := cache.Open(t.TempDir(), cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	img := plan.Image{Name: "hello", Assets: []plan.Asset{{Source: "page", Target: "/srv/page"}}}
	in := Input{
		Plan: &plan.Plan{Compression: plan.Gzip}, Target: artifact.Target{Image: img}, Dir: dir, Cache: kept,
	}
	in.Programs = []Program{{Binary: &compile.Binary{Program: in.Target.Programs()[0]}}}
	find := func() layers {
		t.Helper()
		l, err := in.layers(t.Context(), &Image{Target: in.Target})
		if err != nil || len(l.make) != 2 {
			t.Fatalf("%d layers, %v; there are assets and a binary", len(l.make), err)
		}
		return l
	}

	write("first")
	edited := find()
	write("other")
	if _, err := edited.make[0](t.Context()); !errors.Is(err, filesum.ErrChanged) {
		t.Errorf("the layer of an edited asset: %v", err)
	}
	if _, err := edited.components(t.Context()); !errors.Is(err, filesum.ErrChanged) {
		t.Errorf("the components of an edited asset: %v", err)
	}

	write("first")
	restored := find()
	made, err := restored.make[0](t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if id, err := made.Layer.DiffID(); err != nil || id.Hex != restored.keys.assets {
		t.Errorf("the layer is %s, %v; the assets are %s", id, err, restored.keys.assets)
	}
}
