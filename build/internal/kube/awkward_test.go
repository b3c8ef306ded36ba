package kube

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build/internal/yamlscalar"
)

var update = flag.Bool("update", false, "write the wanted files")

// released are two images, the second one in two registries.
var released = source{
	shown: "the release v1.2.3", version: "v1.2.3", module: "example.com/acme",
	images: []image{
		{"api", "example.com/acme/cmd/api", []string{"registry.example.com/acme/api"}, "sha256:" + strings.Repeat("a", 64)},
		{"worker", "example.com/acme/cmd/worker", []string{"registry.example.com/acme/worker", "mirror.example.com:5000/acme/worker"}, "sha256:" + strings.Repeat("b", 64)},
	},
}

// choose replaces what names an image of the release.
func choose(from source, bare bool) yamlscalar.Choose {
	digests := map[target]string{}
	for _, img := range from.images {
		for _, r := range img.Repositories {
			digests[target{img.Name, r}] = img.Digest
		}
	}
	return newNames(from, bare).digests(digests)
}

// awkward returns the files of testdata/awkward that are manifests.
func awkward(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "awkward", "*"))
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return filepath.Ext(f) == ".want" || filepath.Ext(f) == ".error" })
	if len(files) < 40 {
		t.Fatalf("there are only %d files", len(files))
	}
	return files
}

// Every file has the wanted bytes or the wanted error. Resolved again, nothing changes.
func TestAwkward(t *testing.T) {
	for _, file := range awkward(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, n, err := yamlscalar.Replace(src, choose(released, false))
			want, text := file+".want", []byte(nil)
			if err != nil {
				want, text = file+".error", []byte(err.Error()+"\n")
			} else {
				text = got
			}
			if *update {
				if err := os.WriteFile(want, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			wanted, readErr := os.ReadFile(want)
			if readErr != nil {
				t.Fatalf("%v, but it is %q", readErr, text)
			}
			if !bytes.Equal(text, wanted) {
				t.Errorf("it is\n%q\nwant\n%q", text, wanted)
			}
			if err != nil {
				return
			}
			if (n == 0) != bytes.Equal(got, src) {
				t.Errorf("%d places, but the bytes are the same: %v", n, bytes.Equal(got, src))
			}
			again, _, err := yamlscalar.Replace(got, choose(released, false))
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("again: %v\n%s", err, again)
			}
			if left := koPlaces(t, got); len(left) > 0 {
				t.Errorf("these are left: %q", left)
			}
		})
	}
}

// koPlaces returns the strings that ko would replace, as its pkg/resolve finds them: in every node
// of every document, without following aliases.
func koPlaces(t *testing.T, src []byte) (found []string) {
	t.Helper()
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && strings.HasPrefix(n.Value, "ko://") {
			found = append(found, n.Value)
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	for d := yaml.NewDecoder(bytes.NewReader(src)); ; {
		var doc yaml.Node
		if err := d.Decode(&doc); err != nil {
			return found
		}
		walk(&doc)
	}
}

// One line changes for each image that is written on one line.
func TestOneLineEach(t *testing.T) {
	for _, name := range []string{"01-deployment.yaml", "03-crlf.yaml", "06-anchor.yaml", "11-merge-keys.yaml", "29-line-separators.yaml"} {
		src, err := os.ReadFile(filepath.Join("testdata", "awkward", name))
		if err != nil {
			t.Fatal(err)
		}
		got, n, err := yamlscalar.Replace(src, choose(released, false))
		if err != nil {
			t.Fatal(err)
		}
		before, after := strings.SplitAfter(string(src), "\n"), strings.SplitAfter(string(got), "\n")
		changed := 0
		for i := range before {
			if i >= len(after) || before[i] != after[i] {
				changed++
			}
		}
		if len(before) != len(after) || changed != n || n == 0 {
			t.Errorf("%s: %d places, %d of %d lines changed, now %d", name, n, changed, len(before), len(after))
		}
	}
}

// Names without a repository are replaced on request, and no others then.
func TestBareNames(t *testing.T) {
	digest := released.images[0].Digest
	for value, want := range map[string]string{
		"api": "registry.example.com/acme/api@" + digest, "api:dev": "registry.example.com/acme/api@" + digest,
		"api@" + digest: "registry.example.com/acme/api@" + digest, "worker:v1": "registry.example.com/acme/worker@" + released.images[1].Digest,
		"acme/api": "acme/api", "API": "API", "redis:7": "redis:7", "api:": "api:",
		"mirror.example.com:5000/acme/worker:v2": "mirror.example.com:5000/acme/worker@" + released.images[1].Digest,
	} {
		got, _, err := yamlscalar.Replace([]byte(`image: "`+value+`"`), choose(released, true))
		if err != nil || string(got) != `image: "`+want+`"` {
			t.Errorf("%s: %s, %v", value, got, err)
		}
	}
	got, _, err := yamlscalar.Replace([]byte("name: api\nimages: [api]\n"), choose(released, true))
	if err != nil || string(got) != "name: api\nimages: [api]\n" {
		t.Errorf("%s, %v", got, err)
	}
}
