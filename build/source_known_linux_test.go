package build_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// An image takes from its cache that a large asset is as committed, and a release reads it.
// To show it, the cache says so of one that was changed.
func TestReleaseReadsEveryAsset(t *testing.T) {
	testtool.OnRequest(t, "it releases several times")
	content := bytes.Repeat([]byte("0123456789abcdef"), 33<<16)
	r := newSourceRepo(t, map[string]string{"data.bin": string(content)})
	r.run("git", "update-index", "--assume-unchanged", "data.bin")
	dir := t.TempDir()
	asset := func(o *settings) {
		o.Cache = dir
		o.Config.Defaults.Assets = []plan.Asset{{Source: "data.bin", Target: "/data.bin"}}
		o.Config.Release.Key = newKey(t)
	}
	file := filepath.Join(must(filepath.EvalSymlinks(r.dir)), "data.bin")
	state := func() []byte {
		s, ok := filesum.StateOf(must(os.Lstat(file)))
		if !ok {
			t.Fatal("no stat data")
		}
		return must(binary.Append(nil, binary.LittleEndian, s))
	}
	time.Sleep(50 * time.Millisecond) // so that the file is remembered
	if p, _ := r.image(asset); p.Dirty {
		t.Fatalf("as committed: dirty (%s)", p.DirtyFile)
	}
	before := state()
	content[0] = 'x'
	r.write("data.bin", string(content))
	kept := must(cache.Open(filepath.Join(dir, "content"), cache.Options{}))
	key := "assets " + filepath.Dir(file)
	known, found := kept.Get(key)
	if !found || !bytes.Contains(known, before) {
		t.Fatalf("%q is not remembered: %q", file, known)
	}
	kept.Put(key, bytes.Replace(known, before, state(), 1))
	if p, _ := r.image(asset); p.Dirty {
		t.Errorf("an image: dirty (%s)", p.DirtyFile)
	}
	if _, err := build.Release(t.Context(), r.options(asset).release()); err == nil || !strings.Contains(err.Error(), "data.bin") {
		t.Errorf("a release: %v", err)
	}
}
