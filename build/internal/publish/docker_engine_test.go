package publish_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// hello builds a static program for Linux, and returns an image of it.
func hello(t testing.TB, greeting string, layer func(string, []byte) v1.Layer) v1.Image {
	t.Helper()
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { println(\""+greeting+"\") }\n"), 0o644))
	build := testtool.Command(t, "go", "build", "-o", "hello", "main.go")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=", "GO111MODULE=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	image := imageOf(v1.Platform{OS: "linux", Architecture: runtime.GOARCH},
		layer("etc/greeting", []byte(greeting)), layer("hello", must(os.ReadFile(filepath.Join(dir, "hello")))))
	config := must(image.ConfigFile()).DeepCopy()
	config.Config.Entrypoint = []string{"/hello"}
	config.Config.User = "65532:65532"
	return must(mutate.ConfigFile(image, config))
}

// engine is a real engine that answers.
func engine(t testing.TB, name string) publish.Engine {
	t.Helper()
	testtool.OnRequest(t, "a container engine")
	found, err := publish.FindEngine(t.Context(), name, os.Environ())
	testtool.Require(t, err == nil, "a running container engine")
	t.Logf("%s %s", found.Name, found.Version)
	return found
}

// output runs a program that is really there.
func output(t testing.TB, program string, args ...string) string {
	t.Helper()
	out, err := testtool.Command(t, program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", program, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestDockerLoadsAndRuns(t *testing.T) {
	docker := engine(t, "docker")
	for name, layer := range map[string]func(string, []byte) v1.Layer{"gzip": layerOf, "zstd": zstdLayerOf} {
		t.Run(name, func(t *testing.T) {
			image := hello(t, "hello from "+name, layer)
			refs := []string{"thimble-test/hello-" + name + ":v1", "thimble.test/hello-" + name + ":latest"}
			t.Cleanup(func() { output(t, "docker", append([]string{"rmi", "-f"}, refs...)...) })
			loaded, err := docker.Load(context.Background(), refs, image)
			ok(t, err)
			// A second time, when every layer is there already.
			again, err := docker.Load(context.Background(), refs, image)
			ok(t, err)
			if loaded != again {
				t.Errorf("loaded %+v, then %+v", loaded, again)
			}
			t.Logf("ID %s, configuration %v", loaded.ID, must(image.ConfigName()))
			for _, ref := range refs {
				if id := output(t, "docker", "image", "inspect", "--format", "{{.Id}}", ref); id != loaded.ID {
					t.Errorf("%s is %s, want %s", ref, id, loaded.ID)
				}
				if said := output(t, "docker", "run", "--rm", "--network=none", "--cap-drop=ALL", "--read-only", ref); said != "hello from "+name {
					t.Errorf("%s said %q", ref, said)
				}
			}
		})
	}
}

// wrongDiffID is a layer that unpacks to something else than the configuration says.
type wrongDiffID struct{ v1.Layer }

func (wrongDiffID) DiffID() (v1.Hash, error) {
	return v1.NewHash("sha256:" + strings.Repeat("0", 64))
}

func TestDockerRefusesAWrongImage(t *testing.T) {
	docker := engine(t, "docker")
	image := imageOf(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}, wrongDiffID{layerOf("app", []byte("app"))})
	_, err := docker.Load(context.Background(), []string{"thimble-test/wrong:v1"}, image)
	if err == nil || !strings.Contains(err.Error(), "load thimble-test/wrong:v1 into docker "+docker.Version+": ") {
		t.Fatalf("error is %v", err)
	}
	t.Log(err)
	if out, err := testtool.Command(t, "docker", "image", "inspect", "thimble-test/wrong:v1").CombinedOutput(); err == nil {
		t.Errorf("it is there: %s", out)
	}
}

func TestPodmanLoads(t *testing.T) {
	podman := engine(t, "podman")
	image := hello(t, "hello from podman", zstdLayerOf)
	ref := "thimble.test/hello-podman:v1"
	loaded, err := podman.Load(context.Background(), []string{ref}, image)
	ok(t, err)
	t.Cleanup(func() { output(t, "podman", "rmi", "-f", ref) })
	if want := must(image.ConfigName()).String(); loaded.ID != want {
		t.Errorf("ID is %s, want %s", loaded.ID, want)
	}
}

func TestSkopeoReadsTheLayout(t *testing.T) {
	testtool.Program(t, "skopeo")
	t.Log(output(t, "skopeo", "--version"))
	for name, layer := range map[string]func(string, []byte) v1.Layer{"gzip": layerOf, "zstd": zstdLayerOf} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			dir := filepath.Join(t.TempDir(), "dist")
			index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
			for _, arch := range []string{"amd64", "arm64"} {
				platform := v1.Platform{OS: "linux", Architecture: arch}
				index = mutate.AppendManifests(index, mutate.IndexAddendum{
					Add:        imageOf(platform, inCache(t.TempDir(), layer("etc/passwd", []byte("nonroot"))), layer("app", []byte(arch))),
					Descriptor: v1.Descriptor{Platform: &platform},
				})
			}
			d := open(t, dir)
			ok(t, d.Layout(ctx, "oci/api", named("ghcr.io/acme/api:v1.2.3", index)))
			ok(t, d.Commit(ctx, []byte("1")))
			source := "oci:" + filepath.Join(dir, "oci/api") + ":v1.2.3"

			var manifest v1.IndexManifest
			ok(t, json.Unmarshal([]byte(output(t, "skopeo", "inspect", "--raw", source)), &manifest))
			if len(manifest.Manifests) != 2 {
				t.Errorf("skopeo sees %+v", manifest)
			}
			for _, arch := range []string{"amd64", "arm64"} {
				var seen struct {
					Architecture string
					Layers       []string
				}
				ok(t, json.Unmarshal([]byte(output(t, "skopeo", "--override-os=linux", "--override-arch="+arch, "inspect", source)), &seen))
				if seen.Architecture != arch || len(seen.Layers) != 2 {
					t.Errorf("skopeo sees %+v for %s", seen, arch)
				}
			}

			// Without --preserve-digests: skopeo before 1.10 writes every index anew
			// without its mediaType field, and refuses where it must not.
			copied := filepath.Join(t.TempDir(), "copy")
			output(t, "skopeo", "--insecure-policy", "copy", "--all", source, "oci:"+copied+":v1.2.3")
			top := must(layout.ImageIndexFromPath(copied))
			inner := must(must(top.ImageIndex(must(top.IndexManifest()).Manifests[0].Digest)).IndexManifest())
			for i, want := range must(index.IndexManifest()).Manifests {
				if got := inner.Manifests[i].Digest; got != want.Digest {
					t.Errorf("image %d of the copy is %v, want %v", i, got, want.Digest)
				}
			}
			if name == "gzip" { // all that validate can decompress
				ok(t, validate.Index(top))
			} else {
				ok(t, validate.Index(top, validate.Fast))
			}
		})
	}
}
