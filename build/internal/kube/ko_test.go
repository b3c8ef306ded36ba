package kube

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/internal/yamlscalar"
)

// ko resolve puts digests into the same places of every file, and refuses what we refuse. The images
// are others: ko builds its own.
func TestSameAsKo(t *testing.T) {
	ko := testtool.Tool(t, "github.com/google/ko", "v0.19.1", "")
	module := t.TempDir()
	for file, content := range map[string]string{
		"go.mod":          "module example.com/acme\n\ngo 1.26\n",
		"cmd/api/main.go": "package main\n\nfunc main() { println(1) }\n", "cmd/worker/main.go": "package main\n\nfunc main() { println(2) }\n",
	} {
		file = filepath.Join(module, filepath.FromSlash(file))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	base := pushBase(t, registrytest.InProcess(t, true))
	fromKo := released // ko knows no repositories
	fromKo.images = []image{
		{"api", "example.com/acme/cmd/api", []string{"registry.example.com/acme/api"}, "sha256:" + strings.Repeat("a", 64)},
		{"worker", "example.com/acme/cmd/worker", []string{"registry.example.com/acme/worker"}, "sha256:" + strings.Repeat("b", 64)},
	}
	onlyScheme := func(s yamlscalar.Scalar) (string, bool, error) {
		s.Key = ""
		return choose(fromKo, false)(s)
	}
	same := 0
	for _, file := range awkward(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ours, n, ourErr := yamlscalar.Replace(src, onlyScheme)
			cmd := testtool.Command(t, ko, "resolve", "--push=false", "--sbom=none", "--base-import-paths", "--platform=linux/amd64", "-f", "-")
			cmd.Dir, cmd.Stdin = module, bytes.NewReader(src)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			cmd.Env = append(os.Environ(), "KO_DOCKER_REPO=registry.example.com/acme", "KO_DEFAULTBASEIMAGE="+base, "KOCACHE="+filepath.Join(module, "cache"))
			koErr := cmd.Run()
			if reason := onlyKo[filepath.Base(file)]; reason != "" {
				if koErr != nil || ourErr == nil {
					t.Errorf("ko reads it (%s): %v; ours: %v", reason, koErr, ourErr)
				}
				return
			}
			if (koErr == nil) != (ourErr == nil) {
				t.Fatalf("ko: %v\n%s\nours: %v", koErr, &stderr, ourErr)
			}
			if koErr != nil {
				return
			}
			want, got := tree(t, normal(stdout.Bytes())), tree(t, ours)
			if want != got {
				t.Errorf("ko has\n%s\nours is\n%s", want, got)
			}
			if n > 0 {
				same++
			}
		})
	}
	if same < 25 {
		t.Errorf("only %d files have a digest", same)
	}
}

// onlyKo are the files that only ko reads, and why.
var onlyKo = map[string]string{"42-utf-16.yaml": "it writes UTF-8, whose bytes are all others"}

// normal replaces ko's digests by those of the release, and removes the tag that ko adds.
func normal(b []byte) []byte {
	for name, digit := range map[string]string{"api": "a", "worker": "b"} {
		b = regexp.MustCompile(`registry\.example\.com/acme/`+name+`:latest@sha256:[0-9a-f]{64}`).
			ReplaceAll(b, []byte("registry.example.com/acme/"+name+"@sha256:"+strings.Repeat(digit, 64)))
	}
	return bytes.TrimSuffix(b, []byte("---\n")) // ko writes it behind every file
}

// tree returns the documents of a stream as text: kinds, tags, values, anchors and aliases, without
// styles and comments.
func tree(t *testing.T, src []byte) string {
	t.Helper()
	var b strings.Builder
	var walk func(*yaml.Node, int)
	walk = func(n *yaml.Node, depth int) {
		fmt.Fprintf(&b, "%*s%d %s %q %s\n", depth, "", n.Kind, n.ShortTag(), n.Value, n.Anchor)
		for _, c := range n.Content {
			walk(c, depth+1)
		}
	}
	for d := yaml.NewDecoder(bytes.NewReader(src)); ; {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		if len(doc.Content) == 1 && doc.Content[0].ShortTag() == "!!null" {
			continue // ko writes fewer of the empty ones
		}
		walk(&doc, 0)
	}
}

// pushBase pushes an image that ko can build on.
func pushBase(t *testing.T, host string) string {
	t.Helper()
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config = "linux", "amd64", v1.Config{}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/base:v1")
	if err == nil {
		err = remote.Write(ref, img)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ref.Name()
}
