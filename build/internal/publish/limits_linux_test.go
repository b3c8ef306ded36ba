package publish_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// mount puts a file system of its own into a folder until the test ends.
func mount(t *testing.T, options string) string {
	t.Helper()
	testtool.Require(t, os.Getuid() == 0, "root, to mount a file system")
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		testtool.Require(t, false, "leave to mount a file system: "+err.Error())
	}
	t.Cleanup(func() { ok(t, syscall.Unmount(dir, 0)) })
	return dir
}

func TestDiskFull(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(mount(t, "size=1m"), "dist")
	first := open(t, dir)
	ok(t, first.Write("bin/api", []byte("old")))
	ok(t, first.Layout(ctx, "oci/api", named("api:v1", indexOf("old"))))
	ok(t, first.Commit(ctx, []byte("1")))
	before := tree(t, dir)

	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	for name, stage := range map[string]func(*publish.Dist) error{
		"file": func(d *publish.Dist) error { return d.Write("bin/api", big) },
		"copy": func(d *publish.Dist) error { return copied(ctx, d, "bin/api", source(t, string(big))) },
		"layer": func(d *publish.Dist) error {
			return d.Layout(ctx, "oci/api", named("api:v1", indexOf("x", staticLayer(big, "application/vnd.oci.image.layer.v1.tar"))))
		},
		"manifest": func(d *publish.Dist) error { return errors.Join(d.Write("bin/api", []byte("new")), d.Commit(ctx, big)) },
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, dir)
			err := stage(d)
			if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), dir) {
				t.Errorf("error is %v", err)
			}
			ok(t, d.Close())
			same(t, tree(t, dir), before)
		})
	}
}

func TestFolderNotWritable(t *testing.T) {
	parent := mount(t, "size=1m")
	dir := filepath.Join(parent, "dist")
	d := open(t, dir)
	ok(t, d.Write("bin/api", []byte("old")))
	ok(t, d.Commit(context.Background(), []byte("1")))
	ok(t, os.WriteFile(filepath.Join(dir, ".lock"), nil, 0o644)) // as a killed run leaves it
	before := tree(t, parent)
	ok(t, syscall.Mount("", parent, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	for _, dir := range []string{dir, filepath.Join(parent, "other")} {
		_, err := publish.Open(context.Background(), dir, nil, filesum.Sums{})
		if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), dir+" is not a writable folder") {
			t.Errorf("error is %v", err)
		}
	}
	same(t, tree(t, parent), before)
}

// What cannot be linked is copied, and a copy that is right stays.
func TestAcrossFileSystems(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(mount(t, "size=4m"), "dist")
	src := source(t, "binary")
	ok(t, os.Chmod(src, 0o750))
	layer := inCache(t.TempDir(), layerOf("etc/passwd", []byte("nonroot")))
	blob := filepath.Join(dir, "oci/api/blobs/sha256", must(layer.Digest()).Hex)
	run := func() map[string]os.FileInfo {
		d := open(t, dir)
		ok(t, copied(ctx, d, "bin/api", src))
		ok(t, d.Layout(ctx, "oci/api", named("api:v1", indexOf("app", layer))))
		ok(t, d.Commit(ctx, []byte("1")))
		ok(t, valid(filepath.Join(dir, "oci/api")))
		found := map[string]os.FileInfo{}
		for name := range tree(t, dir) {
			found[name] = must(os.Stat(filepath.Join(dir, name)))
		}
		return found
	}
	before := run()
	if mode := before["bin/api"].Mode(); mode != 0o750 {
		t.Errorf("mode of the copy is %v", mode)
	}
	for name, after := range run() {
		if !os.SameFile(before[name], after) {
			t.Errorf("%s was copied again", name)
		}
	}

	// The same size with another content is noticed, at the source and in place.
	ok(t, os.WriteFile(src, []byte("BINARY"), 0o750))
	content := must(os.ReadFile(blob))
	content[20] ^= 1
	ok(t, os.WriteFile(blob, content, 0o644))
	run()
	if got := must(os.ReadFile(filepath.Join(dir, "bin/api"))); string(got) != "BINARY" {
		t.Errorf("the copy is %q", got)
	}
}
