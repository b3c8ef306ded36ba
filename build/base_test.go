package build_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// baseFiles are those of a base for tests, as a tar.
func baseFiles(t *testing.T, content string) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, file := range [][2]string{
		{"etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n"},
		{"etc/group", "root:x:0:\nalice:x:1000:\n"}, {"etc/marker", content},
	} {
		name, text := file[0], file[1]
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// baseImage is a Docker image that has a program and settings of its own.
func baseImage(t *testing.T, architecture string) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: architecture, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User: "1000:1000", WorkingDir: "/srv", Env: []string{"PATH=/usr/bin", "LANG=C.UTF-8"},
			Entrypoint: []string{"/bin/sh"}, Cmd: []string{"-c", "true"}, Labels: map[string]string{"a": "base", "b": "base"},
			Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "true"}}, Volumes: map[string]struct{}{"/data": {}}, OnBuild: []string{"RUN x"},
		},
	})
	if err == nil {
		img, err = mutate.Append(img,
			mutate.Addendum{Layer: baseFiles(t, architecture), History: v1.History{CreatedBy: "COPY"}},
			mutate.Addendum{History: v1.History{CreatedBy: "ENV", EmptyLayer: true}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// baseRegistry has the base for amd64 at base:1, and counts requests. What tamper
// returns true for gets another body.
func baseRegistry(t *testing.T) (host string, requests *atomic.Int64, tamper *atomic.Value, stop func()) {
	t.Helper()
	requests, tamper = new(atomic.Int64), new(atomic.Value)
	inner := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if p, ok := tamper.Load().(string); ok && p != "" && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, p) {
			fmt.Fprint(w, "something else")
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	ref, err := name.ParseReference(host + "/acme/base:1")
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.DockerManifestList), mutate.IndexAddendum{
		Add:        baseImage(t, "amd64"),
		Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
	})
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	return host, requests, tamper, server.Close
}

// helloModule is a copy of the module hello in a repository of its own.
func helloModule(t *testing.T) string {
	t.Helper()
	repo := filepath.Join(t.TempDir(), "repo")
	if err := os.CopyFS(repo, os.DirFS(filepath.Join("..", "testdata", "modules", "hello"))); err != nil {
		t.Fatal(err)
	}
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a commit")
	return repo
}

// A base that Config names by its digest is pinned: it needs no lock file, and the second run asks no
// registry. The tree stays clean, and the image is that of the same base in a lock file.
func TestBaseByDigest(t *testing.T) {
	host, requests, _, stop := baseRegistry(t)
	top, err := remote.Head(must(name.ParseReference(host + "/acme/base:1")))
	ok(t, err)
	repo := helloModule(t)
	o := settings{SkipTests: true, Options: build.Options{
		Workdir: repo, Env: environment(), Cache: t.TempDir(), Platforms: []string{"linux/amd64"},
		Config: build.Config{Defaults: build.ImageConfig{Base: host + "/acme/base@" + top.Digest.String()}},
	}}
	first := image(t, repo, o)
	if l := first.Plan.Lock; l == nil || len(l.Images) != 1 || l.Images[0].Digest != top.Digest.String() || first.Plan.Dirty {
		t.Errorf("the plan is %+v", first.Plan)
	}
	asked := requests.Load()
	stop()
	if again := image(t, repo, o); again.Images[0].Digest != first.Images[0].Digest || requests.Load() != asked {
		t.Errorf("the second run gives %s with %d requests", again.Images[0].Digest, requests.Load()-asked)
	}
	if _, err := os.Stat(filepath.Join(repo, "thimble.lock.json")); err == nil {
		t.Error("a lock file was written")
	}
	o.Cache, o.Offline = t.TempDir(), true
	if _, err := build.Image(t.Context(), o.image()); err == nil || !strings.Contains(err.Error(), "lock "+host) {
		t.Errorf("with an empty cache and no registry: %v", err)
	}
}

func TestImageBase(t *testing.T) {
	host, requests, _, stop := baseRegistry(t)
	repo, cache := helloModule(t), t.TempDir()
	o := settings{SkipTests: true, Options: build.Options{
		Workdir: repo, Env: environment(), Cache: cache, Platforms: []string{"linux/amd64"},
		Config: build.Config{Defaults: build.ImageConfig{
			Base:    host + "/acme/base:1",
			Include: []string{plan.NeedUsers}, // the base has no nonroot, but has alice
			Runtime: build.Runtime{Labels: map[string]string{"b": "mine"}, Env: []string{"LANG=de"}},
		}},
	}}
	if _, err := build.Image(t.Context(), o.image()); err == nil || !strings.Contains(err.Error(), `run "mage lock"`) {
		t.Fatalf("without a lock: %v", err)
	}
	locked, err := build.Lock(t.Context(), o.Options)
	if err != nil {
		t.Fatal(err)
	}
	if len(locked.Changes) != 2 {
		t.Errorf("changes: %v", locked.Changes)
	}
	if again, err := build.Lock(t.Context(), o.Options); err != nil || len(again.Changes) != 0 {
		t.Errorf("locked again: %v, %v", again, err)
	}
	r := image(t, repo, o)
	p := r.Images[0].Platforms[0]
	pinned := locked.Lock.Images[0]
	if p.BaseDigest != pinned.Platforms[0].Digest || p.Base != pinned.Reference {
		t.Errorf("the manifest has base %s %s", p.Base, p.BaseDigest)
	}
	idx := index(t, r, r.Images[0])
	if err := validate.Index(idx); err != nil {
		t.Error(err)
	}
	digest, err := v1.NewHash(p.Digest)
	if err != nil {
		t.Fatal(err)
	}
	img, err := idx.Image(digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	below, err := baseImage(t, "amd64").Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if got := manifest.Layers[0]; got.Digest != below.Layers[0].Digest || got.MediaType != types.OCILayer {
		t.Errorf("the base's layer is %s %s: it was packed again", got.MediaType, got.Digest)
	}
	if len(manifest.Layers) != 2 { // nothing of the root file system: alice is in the base
		t.Errorf("layers: %+v", manifest.Layers)
	}
	if manifest.Annotations["org.opencontainers.image.base.digest"] != p.BaseDigest || manifest.Annotations["org.opencontainers.image.base.name"] != p.Base {
		t.Errorf("annotations: %v", manifest.Annotations)
	}
	top, err := idx.IndexManifest()
	if err != nil || top.Annotations["org.opencontainers.image.base.digest"] != pinned.Digest {
		t.Errorf("annotations of the index: %v, %v", top.Annotations, err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	if c.User != "1000:1000" || c.WorkingDir != "/srv" || !slices.Equal(c.Env, []string{"PATH=/usr/bin", "LANG=de"}) ||
		c.Labels["a"] != "base" || c.Labels["b"] != "mine" || len(c.Volumes) != 1 ||
		!slices.Equal(c.Entrypoint, []string{"/app/hello"}) || c.Cmd != nil || c.Healthcheck != nil || c.OnBuild != nil {
		t.Errorf("the configuration is %+v", c)
	}
	if len(file.History) != 3 || file.History[0].CreatedBy != "COPY" || !file.History[1].EmptyLayer {
		t.Errorf("history: %+v", file.History)
	}

	// With a warm cache the registry is not needed, and not asked.
	before := requests.Load()
	stop()
	if again := image(t, repo, o); again.Images[0].Digest != r.Images[0].Digest || requests.Load() != before {
		t.Errorf("a warm build gives %s with %d requests, not %s", again.Images[0].Digest, requests.Load()-before, r.Images[0].Digest)
	}
}

func TestImageBaseIsRefused(t *testing.T) {
	host, _, tamper, _ := baseRegistry(t)
	repo := helloModule(t)
	o := settings{SkipTests: true, Options: build.Options{Workdir: repo, Env: environment(), Platforms: []string{"linux/amd64"}}}
	o.Config.Defaults.Base = host + "/acme/base:1"
	o.Cache = t.TempDir()
	if _, err := build.Lock(t.Context(), o.Options); err != nil {
		t.Fatal(err)
	}
	refuse := func(what, want string, change func(o *settings)) {
		t.Helper()
		o := o
		o.Cache = t.TempDir()
		change(&o)
		_, err := build.Image(t.Context(), o.image())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", what, err, want)
		}
		if _, err := os.Stat(filepath.Join(repo, "dist")); err == nil {
			t.Errorf("%s: there is an output folder", what)
		}
	}
	refuse("a missing platform", "is not pinned for linux/arm64, only for linux/amd64", func(o *settings) { o.Platforms = []string{"linux/arm64"} })
	o2 := o
	o2.Platforms = []string{"linux/arm64"}
	if _, err := build.Lock(t.Context(), o2.Options); err == nil || !strings.Contains(err.Error(), "has no image for linux/arm64; it has linux/amd64") {
		t.Errorf("locking a missing platform: %v", err)
	}
	manifest, err := baseImage(t, "amd64").Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for what, path := range map[string]string{
		"a layer": "/blobs/" + manifest.Layers[0].Digest.String(), "a configuration": "/blobs/" + manifest.Config.Digest.String(),
	} {
		refuse(what+" of other content", "changed during the download or at its source", func(*settings) { tamper.Store(path) })
	}
	tamper.Store("")

	key := func(name string) string {
		k := o
		k.Password = func() ([]byte, error) { return nil, nil }
		k.Env = environment("COSIGN_PASSWORD=")
		_, public, err := build.Keys(t.Context(), k.Options, name)
		if err != nil {
			t.Fatal(err)
		}
		return public
	}
	public, other := key("base"), key("other")
	sign := func(o *settings, file string) {
		o.Config.Defaults.BaseSignature = &build.BaseSignature{Key: file}
	}
	refuse("an unsigned base", "there is none", func(o *settings) { sign(o, public) })
	locked, err := build.Lock(t.Context(), o.Options)
	if err != nil {
		t.Fatal(err)
	}
	signer := o
	signer.Env = environment("COSIGN_PASSWORD=")
	signer.Config.Release.Key = "base.key"
	if _, err := build.Sign(t.Context(), signer.Options, host+"/acme/base@"+locked.Lock.Images[0].Digest); err != nil {
		t.Fatal(err)
	}
	refuse("a base that somebody else signed", "the signature that Config.BaseSignature requires", func(o *settings) { sign(o, other) })
	signed := o
	sign(&signed, public)
	if _, err := build.Lock(t.Context(), signed.Options); err != nil {
		t.Errorf("locking a signed base: %v", err)
	}
	if _, err := build.Image(t.Context(), signed.image()); err != nil {
		t.Errorf("a signed base: %v", err)
	}
	// Who changes the lock cannot put another image under the index that was signed.
	unsigned := must(mutate.Config(baseImage(t, "amd64"), v1.Config{User: "0"}))
	ok(t, remote.Write(must(name.ParseReference(host+"/acme/base:evil")), unsigned))
	lockFile := filepath.Join(repo, "thimble.lock.json")
	text := must(os.ReadFile(lockFile))
	pinned := locked.Lock.Images[0].Platforms[0].Digest
	ok(t, os.WriteFile(lockFile, bytes.ReplaceAll(text, []byte(pinned), []byte(must(unsigned.Digest()).String())), 0o644))
	_, err = build.Image(t.Context(), signed.image())
	if want := "but " + locked.Lock.Images[0].Digest + ` has another digest for it; run "mage lock"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("another image under a signed index: error %v, want %q", err, want)
	}
}

// TestLocalBase builds on a layout and on an archive of one image.
func TestLocalBase(t *testing.T) {
	testtool.OnRequest(t, "it builds several times with empty caches")
	repo := helloModule(t)
	base := baseImage(t, "amd64")
	path, err := layout.Write(filepath.Join(repo, "base"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(base); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("example.com/base:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(filepath.Join(repo, "base.tar"), tag, base); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"oci:base", "docker-archive:base.tar"} {
		o := settings{SkipTests: true, Options: build.Options{Workdir: repo, Env: environment("THIMBLE_BASE=" + ref), Cache: t.TempDir(), Platforms: []string{"linux/amd64"}}}
		if _, err := build.Lock(t.Context(), o.Options); err != nil {
			t.Fatal(err)
		}
		r := image(t, repo, o)
		if err := validate.Index(index(t, r, r.Images[0])); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
		if layers := r.Images[0].Platforms[0].Layers; len(layers) != 2 || layers[0].Name != "base" {
			t.Errorf("%s: layers %+v", ref, layers)
		}
	}
}

// TestBaseIsMounted pushes to a real registry that has the base in another repository:
// its layer must be mounted, and never sent.
func TestBaseIsMounted(t *testing.T) {
	p, host := registrytest.Before(t, registrytest.Debian(t))
	base := baseImage(t, "amd64")
	ok(t, remote.Write(must(name.ParseReference(host+"/bases/base:1")), base))
	p.Forget()
	p.Taken()
	o := options(t, helloModule(t), func(o *settings) {
		o.Config.Repository, o.Config.Defaults.Base = host+"/acme", host+"/bases/base:1"
	})
	must(build.Lock(t.Context(), o.Options))
	git(t, o.Workdir, "add", "-A")
	git(t, o.Workdir, "commit", "-q", "-m", "locked")
	r := must(build.Push(t.Context(), o.push()))
	sent := p.Taken()
	made := must(remote.Image(must(name.NewDigest(host + "/acme/hello@" + r.Images[0].Platforms[0].Digest))))
	shared := map[v1.Hash]bool{}
	for _, l := range must(base.Layers()) {
		shared[must(l.Digest())] = true
	}
	layers := must(made.Layers())
	if digest := must(layers[0].Digest()); !shared[digest] {
		t.Fatalf("the lowest layer, %s, is not the base's", digest)
	}
	for _, l := range layers {
		digest := must(l.Digest())
		if shared[digest] == sent[digest.String()] {
			t.Errorf("layer %s: of the base: %t, uploaded: %t", digest, shared[digest], sent[digest.String()])
		}
		must(io.Copy(io.Discard, must(l.Compressed()))) // it is there, whole
	}
}
