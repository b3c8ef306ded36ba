package tree

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// Symlinks and volumes are in the tree of an image's own files, unless something else is there.
func TestSymlinksAndVolumes(t *testing.T) {
	dir := sourceTree(t, map[string]string{"seed/a": "a"})
	img := plan.Image{
		Name: "api", Programs: []plan.Program{{Name: "ctl"}},
		Assets:   []plan.Asset{{Source: "seed", Target: "/seeded", UID: 7, GID: 8}, {Source: "seed/a", Target: "/part/a"}},
		Symlinks: []plan.Symlink{{Path: "/usr/bin/api", Target: "/app/api"}, {Path: "/app/other", Target: "/app/ctl"}},
		Runtime:  plan.Runtime{User: "1000", Volumes: []string{"/data/db", "/seeded", "/part", "/tmp"}},
	}
	got, err := Assets(dir, img, Accounts{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, n := range got.Nodes() {
		lines = append(lines, fmt.Sprintf("%s %s %d:%d %s", n.Path, n.Mode, n.UID, n.GID, n.Link))
	}
	for _, want := range []string{
		"usr/bin/api Lrwxrwxrwx 0:0 /app/api", "app/other Lrwxrwxrwx 0:0 /app/ctl",
		"data/db drwxr-xr-x 1000:0 ", "data drwxr-xr-x 0:0 ", "seeded drwxr-xr-x 7:8 ", "part drwxr-xr-x 1000:0 ",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the tree lacks %q: %q", want, lines)
		}
	}
	if got.Has("/tmp") {
		t.Error("a volume changes /tmp, which belongs to the root file system")
	}
	for path, want := range map[string]string{
		"/app/api": "already has its own file", "/app/ctl": "already has its own file", LicensesPath: "already has its own file",
		"/app": "it is a folder of the image", "/etc": "it is a folder of the image", "/seeded/a": "already exists", "/seeded": "already exists",
	} {
		img.Symlinks = []plan.Symlink{{Path: path, Target: "/app/api"}}
		if _, err := Assets(dir, img, Accounts{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a symlink at %s: %v, want %q", path, err, want)
		}
	}
	img.Symlinks, img.Runtime.Volumes = nil, []string{"/part/a"}
	if _, err := Assets(dir, img, Accounts{}, nil); err != nil {
		t.Errorf("a volume where an asset is: %v", err)
	}
	img.Runtime.Volumes = []string{"/part/a/b"}
	if _, err := Assets(dir, img, Accounts{}, nil); err == nil || !strings.Contains(err.Error(), "/part/a is not a folder") {
		t.Errorf("a volume below a file: %v", err)
	}
	for name, below := range map[string]func(*plan.Image){
		"an asset":         func(i *plan.Image) { i.Assets = []plan.Asset{{Source: "seed", Target: "/app/api/seed"}} },
		"an empty folder":  func(i *plan.Image) { i.Assets = []plan.Asset{{Target: "/app/ctl/seed"}} },
		"a symlink":        func(i *plan.Image) { i.Symlinks = []plan.Symlink{{Path: "/app/api/x", Target: "/seeded"}} },
		"a volume":         func(i *plan.Image) { i.Runtime.Volumes = []string{"/app/api/data"} },
		"a working folder": func(i *plan.Image) { i.Runtime.WorkingDir = "/app/ctl/data" },
	} {
		img := plan.Image{Name: "api", Programs: []plan.Program{{Name: "ctl"}}, Runtime: plan.Runtime{User: "1000"}}
		below(&img)
		if _, err := Assets(dir, img, Accounts{}, nil); err == nil || !strings.Contains(err.Error(), "so it is no folder") {
			t.Errorf("%s below a program: %v", name, err)
		}
	}
	at := plan.Image{Name: "api", Runtime: plan.Runtime{WorkingDir: "/app/api"}}
	if _, err := Assets(dir, at, Accounts{}, nil); err == nil || !strings.Contains(err.Error(), "working folder /app/api: the image already has") {
		t.Errorf("a working folder that is the program: %v", err)
	}
}

// A pattern takes every match under its last name, in the order of names.
func TestPatterns(t *testing.T) {
	dir := sourceTree(t, map[string]string{
		"conf/b.yaml": "b", "conf/a.yaml": "a", "conf/.hidden.yaml": "h", "conf/c.json": "c",
		"sites/one/www/index.html": "1", "sites/two/www/index.html": "2", "sites/two/www/x/y": "3",
		"pages/[id].html": "id", "pages/i.html": "i", "linked": "->conf",
	})
	for source, test := range map[string]struct {
		want string // paths in the image, or the error
		err  bool
	}{
		"conf/*.yaml":     {want: "t/a.yaml t/b.yaml"},
		"conf/.*.yaml":    {want: "t/.hidden.yaml"},
		"conf/[bc].*":     {want: "t/b.yaml t/c.json"},
		"co*":             {want: "t/conf/.hidden.yaml t/conf/a.yaml t/conf/b.yaml t/conf/c.json"},
		"sites/two/*":     {want: "t/www/index.html t/www/x/y"},
		"pages/[id].html": {want: "t"}, // the name of a file, not a pattern
		"pages/?.html":    {want: "t/i.html"},
		"link*/a.yaml":    {want: "t/a.yaml"},
		"sites/*/www":     {want: "differs or is a file", err: true}, // one would replace the other
		"conf/*.toml":     {want: "asset conf/*.toml: the pattern matches nothing", err: true},
		"conf/[":          {want: "syntax error in pattern", err: true},
		"../*":            {want: "not in the module's folder", err: true},
	} {
		asset := plan.Asset{Source: source, Target: "/t"}
		got, err := Assets(dir, plan.Image{Name: "api", Assets: []plan.Asset{asset}}, Accounts{}, nil)
		if test.err {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %q", source, err, test.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		var paths []string
		for _, n := range got.Nodes() {
			if n.Mode.Type() != fs.ModeDir {
				paths = append(paths, n.Path)
			}
		}
		if text := strings.Join(paths, " "); text != test.want {
			t.Errorf("%s gives %q, want %q", source, text, test.want)
		}
		files, err := AssetFiles(dir, nil, []plan.Asset{asset})
		if err != nil || len(files) < len(paths) {
			t.Errorf("%s: %d files are compared for %d in the image, %v", source, len(files), len(paths), err)
		}
	}
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"conf/*.yaml", "conf/a.yaml", true}, {"conf/*.yaml", "conf/a.json", false}, {"conf/*.yaml", "conf/.a.yaml", false},
		{"sites/*", "sites/one/www/x", true}, {"sites/*", "sites", false}, {"conf/.*", "conf/.a", true}, {"*/x", "a/y/x", false},
	} {
		if MatchesAsset(test.pattern, test.name) != test.want {
			t.Errorf("whether %s matches %s is not %t", test.pattern, test.name, test.want)
		}
	}
	for pattern, want := range map[string]string{"a/b/*.x": "a/b", "*.x": ".", "a/*/c/*": "a", "a/b": "a"} {
		if got := FixedFolder(pattern); got != want {
			t.Errorf("the matches of %s are in %q, want %q", pattern, got, want)
		}
	}
}
