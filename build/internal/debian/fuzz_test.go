package debian

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// FuzzDeb opens packages: whatever they hold, every node has a path within the tree, and
// no link leads out of it.
func FuzzDeb(f *testing.F) {
	p := debiantest.Package{Name: "good", Version: "1", Files: []debiantest.Entry{
		debiantest.Folder("lib"), debiantest.File("lib/x", "content"), debiantest.Link(tar.TypeLink, "./a", "./lib/x"), debiantest.Link(tar.TypeSymlink, "./b", "/lib/x"),
	}}
	for _, p.Compression = range []string{"none", "gz", "xz", "zst"} {
		f.Add(p.Deb(f))
	}
	f.Add(debiantest.Ar("debian-binary", []byte("2.0\n")))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, deb []byte) {
		defer func(limit int64) { maxUnpacked = limit }(maxUnpacked)
		maxUnpacked = 1 << 20
		spool, err := os.Create(filepath.Join(dir, "spool"))
		if err != nil {
			t.Fatal(err)
		}
		defer spool.Close()
		u, err := unpack(t.Context(), bytes.NewReader(deb), spool, true)
		if err != nil {
			return
		}
		nodes := map[string]tree.Node{}
		for _, n := range u.nodes {
			nodes[n.Path] = n
			if !fs.ValidPath(n.Path) || n.Mode.Type() == fs.ModeSymlink && checkSymlink(n.Path, n.Link) != nil {
				t.Errorf("%s is in the tree", describe(n))
			}
		}
		tr := &tree.Tree{}
		for _, n := range u.nodes {
			if err := tr.Add(n); err != nil {
				return
			}
			if n.Mode.IsRegular() {
				if _, err := readNode(nodes, n); err != nil {
					t.Errorf("read %s: %v", describe(n), err)
				}
			}
		}
	})
}

// FuzzLock finds bases in locks: what is found can be part of a path, a URL and a name.
func FuzzLock(f *testing.F) {
	good, err := json.Marshal(plan.DebianLock{
		Suite: "trixie", Indexes: []plan.DebianIndex{{Archive: "debian", Suite: "trixie", Date: "2026-11-21T09:15:44Z"}},
		Selections: []plan.DebianSelection{{Base: plan.BaseDebian, With: []string{"a1"}, Architecture: "amd64", Packages: []string{"a1=1"}}},
		Packages: []plan.DebianPackage{{
			Name: "a1", Version: "1", Architecture: "all", Source: "a1", SourceVersion: "1", Archive: "debian", Path: "pool/a.deb", Size: 1, SHA256: strings.Repeat("0", 64),
		}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(bytes.Replace(good, []byte("pool/"), []byte("pool/../"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l plan.DebianLock
		if json.Unmarshal(b, &l) != nil {
			return
		}
		for _, sel := range l.Selections {
			s, err := Find(&l, sel.Base, sel.With, sel.Architecture)
			if err != nil {
				continue
			}
			s.Key()
			for _, p := range s.Locked {
				component(s, p)
				u, err := Mirror{}.packageURL(p, s.Indexes)
				if strings.Contains(p.Path+p.SHA256+p.Name, "..") && !strings.HasPrefix(p.Path, "pool/") || err == nil && strings.ContainsAny(u, " \n?#") && !strings.ContainsAny(s.Indexes[0].Snapshot, " \n?#") {
					t.Errorf("%+v is at %q", p, u)
				}
			}
		}
	})
}
