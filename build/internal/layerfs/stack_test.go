package layerfs

import (
	"archive/tar"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// stacked is a stack that is not too large.
func stacked(layers ...Layer) *FS { return aboveOf(&FS{root: &node{}}, layers...) }

func aboveOf(below *FS, layers ...Layer) *FS {
	fs, err := below.Overlay(layers...)
	if err != nil {
		panic(err)
	}
	return fs
}

// What a layer could make of a few bytes ends in time, or is refused.
func TestStackOfBombs(t *testing.T) {
	testtool.NotShort(t)
	files := func(n int, name func(int) Entry) (l Layer) {
		for i := range n {
			l = append(l, name(i))
		}
		return l
	}
	file := func(p string) Entry { return Entry{Path: p, Type: tar.TypeReg} }
	maze := Layer{{Path: "/d", Type: tar.TypeDir}}
	for i := range 40 {
		maze = append(maze, Entry{Path: fmt.Sprintf("/l%d", i), Type: tar.TypeSymlink, Link: strings.Repeat("d/../", 800) + fmt.Sprintf("l%d", i+1)})
	}
	maze = append(maze, Entry{Path: "/l40", Type: tar.TypeSymlink, Link: "d"})
	for name, c := range map[string]struct {
		layers []Layer
		want   string
	}{
		"many files, and as many whiteouts": {[]Layer{
			files(maxEntries, func(i int) Entry { return file(fmt.Sprintf("/usr/lib/%d/%d", i%100, i)) }),
			files(maxEntries, func(i int) Entry { return file(fmt.Sprintf("/usr/lib/%d/.wh.%d", i%100, i)) }),
		}, ""},
		"as many opaque folders":        {[]Layer{files(maxEntries, func(i int) Entry { return file(fmt.Sprintf("/%d/.wh..wh..opq", i%1000)) })}, ""},
		"files below a symlink":         {[]Layer{{{Path: "/lib", Type: tar.TypeSymlink, Link: "usr/lib"}, {Path: "/usr/lib", Type: tar.TypeDir}}, files(maxEntries, func(i int) Entry { return file(fmt.Sprintf("/lib/%d", i)) })}, ""},
		"files below nothing":           {[]Layer{{{Path: "/lib", Type: tar.TypeSymlink, Link: "nowhere"}}, files(maxEntries, func(i int) Entry { return file(fmt.Sprintf("/lib/%d", i)) })}, ""},
		"files at the end of a maze":    {[]Layer{maze, files(maxEntries, func(i int) Entry { return file(fmt.Sprintf("/l1/%d", i)) })}, "too many ways"},
		"folders that nobody has named": {[]Layer{files(2000, func(i int) Entry { return file(fmt.Sprintf("/%d/%s", i, strings.Repeat("a/", 1000))) })}, "more than 400000 files"},
		"hard links to a large one": {[]Layer{files(maxEntries, func(i int) Entry {
			return Entry{Path: fmt.Sprintf("/%d", i), Type: tar.TypeLink, Link: fmt.Sprintf("/%d", max(0, i-1))}
		})}, ""},
		"layers of many files": {[]Layer{files(maxEntries, func(i int) Entry { return file(fmt.Sprintf("/a%d", i)) }), files(maxEntries, func(i int) Entry { return file(fmt.Sprintf("/b%d", i)) }), files(maxEntries, func(i int) Entry { return file(fmt.Sprintf("/c%d", i)) })}, "more than 400000 files"},
	} {
		began := time.Now()
		fs, err := Stack(c.layers...)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if fs != nil {
			for i := range 1000 {
				fs.Lookup(fmt.Sprintf("/usr/lib/%d", i))
			}
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s took %s", name, took)
		}
	}
}
