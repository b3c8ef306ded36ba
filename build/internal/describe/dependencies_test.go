package describe

import (
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/internal/tree"
)

func TestProvenanceDependencies(t *testing.T) {
	b := provenance(t, released())
	found := map[string]string{}
	var order []string
	for _, d := range at(t, b, "buildDefinition", "resolvedDependencies").([]any) {
		name := d.(map[string]any)["name"].(string)
		if found[name] != "" {
			t.Errorf("%s is there twice", name)
		}
		found[name], order = text(t, d), append(order, name)
	}
	if !slices.Equal(order, []string{
		"source", "toolchain", "example.com/local", "github.com/BurntSushi/toml", "github.com/fork/lib/sub",
		"golang.org/x/sys", "lonely", "mozilla-ca-certificates", "std", "tzdata",
	}) {
		t.Errorf("dependencies are %q", order)
	}
	for name, want := range map[string]string{
		"github.com/BurntSushi/toml": `{"digest":{"dirHash":"` + dirHashOf(1) + `"},"name":"github.com/BurntSushi/toml","uri":"pkg:golang/github.com/burntsushi/toml@v1.4.0"}`,
		"github.com/fork/lib/sub": `{"annotations":{"replaces":"example.com/upstream/lib@v1.0.0"},"digest":{"dirHash":"` + dirHashOf(2) +
			`"},"name":"github.com/fork/lib/sub","uri":"pkg:golang/github.com/fork/lib/sub@v1.0.1-0.20260101000000-abcdefabcdef"}`,
		"example.com/local": `{"annotations":{"replaces":"example.com/local@v0.0.0"},"name":"example.com/local","uri":"pkg:golang/example.com/local"}`,
		"golang.org/x/sys":  `{"digest":{"dirHash":"` + dirHashOf(3) + `"},"name":"golang.org/x/sys","uri":"pkg:golang/golang.org/x/sys@v0.49.0"}`,
		"std":               `{"name":"std","uri":"pkg:golang/std@1.26.8"}`,
	} {
		if found[name] != want {
			t.Errorf("got  %s\nwant %s", found[name], want)
		}
	}

	in := released()
	in.Toolchain = sbom.Module{}
	if got := text(t, at(t, provenance(t, in), "buildDefinition", "resolvedDependencies", 1)); got != `{"name":"toolchain","uri":"pkg:golang/toolchain@go1.26.8"}` {
		t.Errorf("a toolchain without a sum is %s", got)
	}
}

// TestFilesHash compares with the hash that anybody can compute of the files.
func TestFilesHash(t *testing.T) {
	root := t.TempDir()
	tz := service().Components[1]
	var names []string
	for _, f := range tz.Files {
		names = append(names, strings.TrimPrefix(f.Path, "/"))
	}
	fsys := os.DirFS(root)
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(root, filepath.FromSlash(path.Dir(name))), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), []byte("/"+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := dirhash.Hash1(names, func(name string) (io.ReadCloser, error) { return fsys.Open(name) })
	if err != nil {
		t.Fatal(err)
	}
	d, err := componentDescriptor(tz)
	if err != nil {
		t.Fatal(err)
	}
	if hash, err := dirHash(want); err != nil || d.Digest["dirHash"] != hash["dirHash"] {
		t.Errorf("the component's hash is %v, want %v, %v", d.Digest, hash, err)
	}
}

// TestLibraries checks that a package says which of its libraries the binary is linked with.
func TestLibraries(t *testing.T) {
	in := released()
	api := &in.Images[0]
	api.Components = append(api.Components, tree.Component{
		Name: "libc6", Version: "2.41-12", PURL: "pkg:deb/debian/libc6@2.41-12?arch=armhf", SHA256: strings.Repeat("ab", 32),
	})
	api.Libraries = []sbom.Library{
		{Name: "libmine.so.1", Path: "/opt/libmine.so.1"},
		{Name: "libm.so.6", Path: "/usr/lib/libm.so.6", Component: "libc6"},
		{Name: "libc.so.6", Path: "/usr/lib/libc.so.6", Component: "libc6"},
	}
	want := []any{"/usr/lib/libc.so.6", "/usr/lib/libm.so.6"}
	found := false
	for _, d := range at(t, provenance(t, in), "buildDefinition", "resolvedDependencies").([]any) {
		d := d.(map[string]any)
		annotations, _ := d["annotations"].(map[string]any)
		got, _ := annotations["libraries"].([]any)
		isLibc := d["name"] == "libc6"
		found = found || isLibc
		if isLibc != slices.Equal(got, want) || !isLibc && got != nil {
			t.Errorf("%s has the libraries %v", d["name"], got)
		}
	}
	if !found {
		t.Error("libc6 is missing")
	}
}
