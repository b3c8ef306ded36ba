package registry_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/credentials"
	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/registrytest"
)

// TestMain lets the tests start this binary as another run: see crash_linux_test.go.
func TestMain(m *testing.M) {
	if repository := os.Getenv("REGISTRY_TEST_RELEASE"); repository != "" {
		if err := release(context.Background(), repository, quick, made("crash")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks that there is an error with all of the words.
func refused(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q has no %q", err, w)
		}
	}
}

// quick has short pauses, and as many attempts as an upload has requests, and two.
var quick = distribution.Options{Backoff: remote.Backoff{Duration: time.Millisecond, Factor: 2, Steps: 6}}

// kinds are the registries that everything must work with. Each starts an empty one
// and returns its host and port.
var kinds = []struct {
	name      string
	referrers registry.ReferrersSupport
	start     func(testing.TB) string
}{
	{"ggcr with referrers", registry.ReferrersNative, func(t testing.TB) string { return registrytest.InProcess(t, true) }},
	{"ggcr without referrers", registry.ReferrersFallback, func(t testing.TB) string { return registrytest.InProcess(t, false) }},
	{"distribution 3", registry.ReferrersFallback, registrytest.Distribution},
	{"docker-registry of Debian", registry.ReferrersFallback, registrytest.Debian},
}

// content is what a release publishes.
type content struct {
	index     v1.ImageIndex
	referrers []registry.Artifact
	signature registry.Artifact
}

func (c content) digest() v1.Hash { return must(c.index.Digest()) }
func (c content) artifacts() []registry.Artifact {
	return append(slices.Clone(c.referrers), c.signature)
}
func digestOf(image v1.Image) v1.Hash { return must(image.Digest()) }
func repositoryOf(host string) string { return host + "/acme/api" }
func noise(seed string, size int) (content []byte) {
	var key [32]byte
	copy(key[:], seed)
	content = make([]byte, size)
	must(rand.NewChaCha8(key).Read(content))
	return content
}

// made is an index of two platforms with a shared layer, two referrers of the index,
// one of an image, and a signature under a tag; the same each time.
func made(seed string) content {
	var c content
	c.index = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	shared := static.NewLayer(noise(seed, 3000), types.OCILayer)
	var first v1.Image
	for _, arch := range []string{"amd64", "arm64"} {
		image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
		image = must(mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers"}}))
		image = must(mutate.AppendLayers(image, shared, static.NewLayer(noise(seed+arch, 300_000), types.OCILayer)))
		c.index = mutate.AppendManifests(c.index, mutate.IndexAddendum{Add: image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
		if first == nil {
			first = image
		}
	}
	subject := v1.Descriptor{MediaType: types.OCIImageIndex, Digest: c.digest(), Size: must(c.index.Size())}
	child := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digestOf(first), Size: must(first.Size())}
	c.referrers = []registry.Artifact{
		{Image: referrer(subject, seed+" sbom")},
		{Image: referrer(subject, seed+" provenance")},
		{Image: referrer(child, seed+" sbom of one")},
	}
	c.signature = registry.Artifact{Image: signature(seed), Tag: "sha256-" + c.digest().Hex + ".sig"}
	return c
}

// artifact is an image with an artifactType, which mutate cannot make.
type artifact struct {
	v1.Image
	raw []byte
}

func (a artifact) RawManifest() ([]byte, error)    { return a.raw, nil }
func (a artifact) Manifest() (*v1.Manifest, error) { return v1.ParseManifest(bytes.NewReader(a.raw)) }
func (a artifact) Size() (int64, error)            { return int64(len(a.raw)), nil }
func (a artifact) Digest() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(a.raw))
	return h, err
}

func referrer(subject v1.Descriptor, text string) v1.Image {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.oci.empty.v1+json")
	image = must(mutate.AppendLayers(image, static.NewLayer([]byte(text), "application/vnd.example+json")))
	manifest := must(image.Manifest()).DeepCopy()
	manifest.Subject, manifest.ArtifactType = &subject, "application/vnd.example"
	manifest.Annotations = map[string]string{"org.example.text": text}
	return artifact{image, must(json.Marshal(manifest))}
}

func signature(text string) v1.Image {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	return must(mutate.AppendLayers(image, static.NewLayer([]byte("signature "+text), "application/vnd.dev.cosign.simplesigning.v1+json")))
}

var tags = []registry.Tag{{Name: "latest", Moving: true}, {Name: "v1.0.0"}, {Name: "v1", Moving: true}}

// release is what the kit does with a repository, in its order.
func release(ctx context.Context, repository string, o distribution.Options, c content) error {
	r, err := registry.Open(ctx, repository, o)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.Preflight(ctx, tags, c.digest()); err != nil {
		return err
	}
	if err := r.Push(ctx, c.index); err != nil {
		return err
	}
	if err := r.Attach(ctx, c.artifacts()); err != nil {
		return err
	}
	if _, err := r.ReadBack(ctx, c.digest(), true); err != nil {
		return err
	}
	for _, a := range c.artifacts() {
		if _, err := r.ReadBack(ctx, digestOf(a.Image), true); err != nil {
			return err
		}
	}
	return r.Tag(ctx, c.digest(), tags)
}

// open opens a repository until the test ends.
func open(t testing.TB, repository string, o distribution.Options) *registry.Repository {
	t.Helper()
	r, err := registry.Open(context.Background(), repository, o)
	ok(t, err)
	t.Cleanup(r.Close)
	return r
}

// state says what a stranger finds: the tags that are there, and an error if one of
// them promises more than there is.
func state(t testing.TB, repository string, c content) (found []string, err error) {
	t.Helper()
	ctx := context.Background()
	r := open(t, repository, quick)
	for _, tag := range tags {
		is := must(r.Resolve(ctx, tag.Name))
		if is == (v1.Hash{}) {
			continue
		}
		found = append(found, tag.Name)
		if is != c.digest() {
			err = errors.Join(err, fmt.Errorf("%s points to %s", tag.Name, is))
		}
	}
	if found != nil {
		err = errors.Join(err, complete(r, c))
	}
	return found, err
}

// complete checks that everything of a release is in the registry, tags aside.
func complete(r *registry.Repository, c content) error {
	ctx := context.Background()
	_, err := r.ReadBack(ctx, c.digest(), true)
	for _, a := range c.artifacts() {
		_, failed := r.ReadBack(ctx, digestOf(a.Image), true)
		err = errors.Join(err, failed)
	}
	for _, a := range c.referrers {
		subject := must(a.Image.Manifest()).Subject.Digest
		listed, failed := r.Referrers(ctx, subject)
		if err = errors.Join(err, failed); !slices.ContainsFunc(listed, func(d v1.Descriptor) bool { return d.Digest == digestOf(a.Image) }) {
			err = errors.Join(err, fmt.Errorf("%s is not listed", digestOf(a.Image)))
		}
	}
	if is, failed := r.Resolve(ctx, c.signature.Tag); is != digestOf(c.signature.Image) {
		err = errors.Join(err, failed, fmt.Errorf("the signature's tag points to %s", is))
	}
	return err
}

// finished checks that a release is there with all its tags.
func finished(t testing.TB, repository string, c content) {
	t.Helper()
	found, err := state(t, repository, c)
	ok(t, err)
	if len(found) != len(tags) {
		t.Fatalf("the tags are %q", found)
	}
}

// dockerConfig points DOCKER_CONFIG at a file with a login.
func dockerConfig(t testing.TB, host, user, password string) {
	folder := t.TempDir()
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	ok(t, os.WriteFile(filepath.Join(folder, "config.json"), fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, host, auth), 0o600))
	setHome(t, folder)
}

func setHome(t testing.TB, docker string) {
	t.(*testing.T).Setenv("DOCKER_CONFIG", docker)
	t.(*testing.T).Setenv("HOME", docker)
	t.(*testing.T).Setenv("XDG_RUNTIME_DIR", docker)
	t.(*testing.T).Setenv("XDG_CONFIG_HOME", docker)
	t.(*testing.T).Setenv("REGISTRY_AUTH_FILE", "")
}

// withKeychain is quick with a keychain that reads the docker configuration.
func withKeychain() distribution.Options {
	o := quick
	o.Keychain = credentials.Keychain{LookupEnv: os.LookupEnv}
	return o
}

func each(t *testing.T, f func(t *testing.T, host string, referrers registry.ReferrersSupport)) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) { f(t, kind.start(t), kind.referrers) })
	}
}

// changed is a body with one bit that is another.
type changed struct{ io.ReadCloser }

func (c changed) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if n > 0 {
		p[n/2] ^= 1
	}
	return n, err
}
