package tree

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// A tree is put on a base as a copy would put it there: through the base's symlinks, and
// without another mode or owner for its folders.
func TestOverlaidOn(t *testing.T) {
	folder := func(p string, mode fs.FileMode, owner int) Node {
		return Node{Path: p, Mode: fs.ModeDir | mode, UID: owner, GID: owner}
	}
	base := map[string]Node{
		"usr": folder("usr", 0o755, 0), "usr/lib": folder("usr/lib", 0o755, 0), "lib": folder("usr/lib", 0o755, 0),
		"root": folder("root", 0o700, 0), "var/lib/db": folder("var/lib/db", 0o750, 26), "all": folder("", 0o755, 0),
		"etc/file": Bytes("etc/file", 0o644, nil),
	}
	look := func(p string) (Node, bool) { n, ok := base[p]; return n, ok }
	for name, tc := range map[string]struct {
		nodes []Node
		want  []string // path, mode, owner; an error alone
	}{
		"beside the base's":          {[]Node{Bytes("srv/www/x", 0o644, nil)}, []string{"srv drwxr-xr-x 0", "srv/www drwxr-xr-x 0", "srv/www/x -rw-r--r-- 0"}},
		"through a symlink":          {[]Node{Bytes("lib/x/y", 0o644, nil)}, []string{"usr drwxr-xr-x 0", "usr/lib drwxr-xr-x 0", "usr/lib/x drwxr-xr-x 0", "usr/lib/x/y -rw-r--r-- 0"}},
		"a folder for a symlink":     {[]Node{folder("lib", 0o755, 0), Bytes("lib/y", 0o644, nil)}, []string{"usr drwxr-xr-x 0", "usr/lib drwxr-xr-x 0", "usr/lib/y -rw-r--r-- 0"}},
		"a symlink for a symlink":    {[]Node{{Path: "lib", Mode: fs.ModeSymlink | 0o777, Link: "usr/lib"}}, []string{"lib Lrwxrwxrwx 0"}},
		"a file for a file":          {[]Node{Bytes("etc/file", 0o600, nil)}, []string{"etc drwxr-xr-x 0", "etc/file -rw------- 0"}},
		"a file for a symlink":       {[]Node{Bytes("lib", 0o644, nil)}, []string{"error: add /lib: it is a folder of the base; give the path of a file in it, such as /lib/x"}},
		"a file for a folder":        {[]Node{Bytes("usr/lib", 0o644, nil)}, []string{"error: add /usr/lib: it is a folder of the base"}},
		"a symlink for a folder":     {[]Node{{Path: "usr/lib", Mode: fs.ModeSymlink | 0o777, Link: "x"}}, []string{"error: add /usr/lib: it is a folder of the base"}},
		"below a file":               {[]Node{Bytes("etc/file/x", 0o644, nil)}, []string{"error: add /etc/file/x: /etc/file is a file of the base"}},
		"a closed folder":            {[]Node{Bytes("root/x", 0o600, nil)}, []string{"root drwx------ 0", "root/x -rw------- 0"}},
		"another's folder":           {[]Node{folder("var/lib/db", 0o755, 0), Bytes("var/lib/db/x", 0o600, nil)}, []string{"var drwxr-xr-x 0", "var/lib drwxr-xr-x 0", "var/lib/db drwxr-x--- 26", "var/lib/db/x -rw------- 0"}},
		"another's folder, of which": {[]Node{folder("var/lib/db", 0o700, 70)}, []string{"var drwxr-xr-x 0", "var/lib drwxr-xr-x 0", "var/lib/db drwx------ 70"}},
		"a symlink to the root":      {[]Node{folder("all", 0o755, 0), Bytes("all/x", 0o644, nil)}, []string{"x -rw-r--r-- 0"}},
		"one file by two paths":      {[]Node{Bytes("lib/x", 0o644, nil), Bytes("usr/lib/x", 0o644, nil)}, []string{"error: add /usr/lib/x to the tree: it already exists"}},
	} {
		from := &Tree{}
		if err := from.AddComponent(Component{Name: "assets"}, tc.nodes...); err != nil {
			t.Fatal(err)
		}
		placed, err := from.OverlaidOn(look)
		if err != nil {
			if want, ok := strings.CutPrefix(tc.want[0], "error: "); !ok || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var got []string
		for _, n := range placed.Nodes() {
			got = append(got, fmt.Sprint(n.Path, " ", n.Mode, " ", n.UID))
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: the tree is %q, want %q", name, got, tc.want)
		}
		if c, err := placed.Components(t.Context()); err != nil || len(c) != 1 {
			t.Errorf("%s: the components are %v, %v", name, c, err)
		}
	}
}
