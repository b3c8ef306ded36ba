package buildcontext

import (
	"fmt"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/thimble-build/thimble/build/init/finding"
)

// repository returns files with one .dockerignore at the root.
func repository(ignore string, names ...string) finding.Files {
	tree := fstest.MapFS{".dockerignore": &fstest.MapFile{Data: []byte(ignore)}}
	for _, name := range names {
		tree[name] = &fstest.MapFile{}
	}
	slices.Sort(names)
	return finding.Files{FS: tree, Names: names}
}

// The context is the folder with most of what the Dockerfile copies.
func TestFolder(t *testing.T) {
	files := repository("", "go.mod", "svc/Dockerfile", "svc/config/a", "svc/go.mod", "build/Dockerfile", "cmd/main.go")
	for _, c := range []struct {
		dockerfile string
		sources    []string
		want       string
	}{
		{"build/Dockerfile", []string{"cmd", "go.mod"}, "."},
		{"svc/Dockerfile", []string{"config"}, "svc"},
		{"svc/Dockerfile", []string{"cmd"}, "."},
		{"svc/Dockerfile", []string{"go.mod"}, "svc"}, // a module begins there
		{"build/Dockerfile", nil, "."},
	} {
		if got := Open(files, c.dockerfile, c.sources).Folder; got != c.want {
			t.Errorf("the context of %s with %q is %q, want %q", c.dockerfile, c.sources, got, c.want)
		}
	}
}

func TestMatch(t *testing.T) {
	c := Open(repository("*.md\nweb/private\n", "a.txt", "b.txt", "README.md", "web/x.html", "web/private/y"), "Dockerfile", nil)
	for source, want := range map[string]string{
		"a.txt": "[a.txt]", "/web/": "[web/]", ".": "[./]", "*.txt": "[a.txt b.txt]", "w*": "[web/]", "missing": "[]",
	} {
		if got := fmt.Sprint(c.Match(source)); got != want {
			t.Errorf("%s matches %s, want %s", source, got, want)
		}
	}
	if c.Has("README.md") || c.Has("web/private/y") || !c.Has("web/x.html") {
		t.Error(".dockerignore excludes other files than *.md and web/private")
	}
	nothing := func(string) bool { return false }
	for folder, want := range map[string]string{".": "[a.txt b.txt web/x.html]", "web": "[x.html]"} {
		if got, ok := c.Split(folder, nothing); !ok || fmt.Sprint(got) != want {
			t.Errorf("%s is split into %q, %t; want %s", folder, got, ok, want)
		}
	}
}
