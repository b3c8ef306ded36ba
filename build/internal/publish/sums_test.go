package publish_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/publish"
)

// remembering is a store in memory.
type remembering map[string][]byte

func (m remembering) Get(key string) ([]byte, bool) { v, ok := m[key]; return v, ok }
func (m remembering) Put(key string, value []byte)  { m[key] = value }

// A bit that is flipped in place, under the same size and time, is set right by the next
// run, also where the file's sum is remembered.
func TestFlippedBitsAreSeen(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "dist")
	big := bytes.Repeat([]byte("binary"), 20_000) // a small file is not remembered
	src := source(t, string(big))
	index := indexOf("app", inCache(t.TempDir(), staticLayer(big, "application/vnd.oci.image.layer.v1.tar")))
	store := remembering{}
	run := func() {
		t.Helper()
		d := must(publish.Open(ctx, dir, nil, filesum.Sums{Store: store}))
		ok(t, d.Examine(ctx))
		ok(t, copied(ctx, d, "bin/api/linux_amd64/api", src))
		ok(t, d.Layout(ctx, "oci/api", named("api:v1", index)))
		ok(t, d.Commit(ctx, []byte("1")))
	}
	run()
	want := tree(t, dir)
	time.Sleep(50 * time.Millisecond) // so that the files are remembered
	run()
	if len(store) < 2 {
		t.Fatalf("%d files are remembered", len(store))
	}
	for name, f := range want {
		if !f.mode.IsRegular() || name == ".gitignore" {
			continue
		}
		path := filepath.Join(dir, name)
		before := must(os.Stat(path))
		file := must(os.OpenFile(path, os.O_RDWR, 0))
		b := make([]byte, 1)
		must(file.ReadAt(b, before.Size()/2))
		b[0] ^= 1
		must(file.WriteAt(b, before.Size()/2))
		ok(t, file.Close())
		ok(t, os.Chtimes(path, before.ModTime(), before.ModTime()))
		run()
		same(t, tree(t, dir), want)
	}
}

// Where everything is hashed, a file that is not what its sum says is not copied.
func TestCopyVerifies(t *testing.T) {
	ctx := context.Background()
	d := must(publish.Open(ctx, filepath.Join(t.TempDir(), "dist"), nil, filesum.Sums{Always: true}))
	defer d.Close()
	f := must(os.Open(source(t, "binary")))
	defer f.Close()
	err := d.Copy(ctx, "bin/api", f, strings.Repeat("0", 64))
	if err == nil || !strings.Contains(err.Error(), "the content does not match the digest") {
		t.Errorf("error is %v", err)
	}
}
