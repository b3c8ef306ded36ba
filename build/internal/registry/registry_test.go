package registry_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	server "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/registry"
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

// require skips the test where something real is missing, or fails it where the
// environment promises that everything is there.
func require(t testing.TB, err error, what string) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("THIMBLE_REQUIRE") == "1":
		t.Fatalf("THIMBLE_REQUIRE=1, but this needs %s: %v", what, err)
	default:
		t.Skipf("needs %s: %v", what, err)
	}
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
var quick = registry.Options{Backoff: remote.Backoff{Duration: time.Millisecond, Factor: 2, Steps: 6}}

// kinds are the registries that everything must work with. Each starts an empty one
// and returns its host and port.
var kinds = []struct {
	name      string
	referrers registry.ReferrersSupport
	start     func(testing.TB) string
}{
	{"ggcr with referrers", registry.ReferrersNative, func(t testing.TB) string { return serve(t, inProcess(true)) }},
	{"ggcr without referrers", registry.ReferrersFallback, func(t testing.TB) string { return serve(t, inProcess(false)) }},
	{"distribution 3", registry.ReferrersFallback, distribution3},
	{"docker-registry of Debian", registry.ReferrersFallback, dockerRegistry},
}

func inProcess(referrers bool) http.Handler {
	return server.New(server.Logger(log.New(io.Discard, "", 0)), server.WithReferrersSupport(referrers))
}

var quietLog = log.New(io.Discard, "", 0) // tests break connections

// serve serves a handler on loopback until the test ends.
func serve(t testing.TB, h http.Handler) string {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quietLog
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return strings.TrimPrefix(s.URL, "http://")
}

const distributionVersion = "v3.1.2"

// distribution3 runs the reference implementation, built once into the user's cache.
func distribution3(t testing.TB) string {
	cache, err := os.UserCacheDir()
	require(t, err, "a cache folder")
	folder := filepath.Join(cache, "thimble", "test", "registry-"+distributionVersion)
	program := filepath.Join(folder, "registry")
	if _, err := os.Stat(program); err != nil {
		ok(t, os.MkdirAll(folder, 0o755))
		made, err := os.MkdirTemp(folder, "build-")
		ok(t, err)
		defer os.RemoveAll(made)
		cmd := exec.Command("go", "install", "github.com/distribution/distribution/v3/cmd/registry@"+distributionVersion)
		cmd.Dir = made
		cmd.Env = append(os.Environ(), "GOBIN="+made, "GOFLAGS=", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			require(t, fmt.Errorf("%w: %s", err, out), "distribution "+distributionVersion)
		}
		ok(t, os.Rename(filepath.Join(made, "registry"), program))
	}
	return run(t, program)
}

// dockerRegistry is the old kind, before OCI 1.1.
func dockerRegistry(t testing.TB) string {
	program, err := exec.LookPath("docker-registry")
	require(t, err, "docker-registry")
	return run(t, program)
}

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

// run runs a registry program on a free port until the test ends.
func run(t testing.TB, program string) string {
	folder := t.TempDir()
	config := filepath.Join(folder, "config.yml")
	ok(t, os.WriteFile(config, fmt.Appendf(nil, `version: 0.1
log: {accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"}
`, filepath.Join(folder, "data")), 0o644))
	cmd := exec.Command(program, "serve", config)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	said, err := cmd.StderrPipe()
	ok(t, err)
	cmd.Stdout = cmd.Stderr
	ok(t, cmd.Start())
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	address := make(chan string, 1)
	go func() {
		defer close(read)
		var all bytes.Buffer
		buf := make([]byte, 4096)
		for {
			n, err := said.Read(buf)
			all.Write(buf[:n])
			if found := listening.FindSubmatch(all.Bytes()); found != nil {
				address <- string(found[1])
				break
			} else if err != nil {
				address <- ""
				t.Errorf("%s ended: %s", program, all.Bytes())
				return
			}
		}
		_, _ = io.Copy(io.Discard, said)
	}()
	found := <-address
	if found == "" {
		t.FailNow()
	}
	return found
}

// proxy passes requests on to a registry, counts them, and lets a test meddle.
type proxy struct {
	next *httputil.ReverseProxy
	// meddle returns true if it has answered. n counts from 1.
	meddle func(n int, w http.ResponseWriter, r *http.Request) bool
	// answer may change what the registry answered.
	answer func(*http.Response) error

	mu   sync.Mutex
	seen []string // method and path
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, r.Method+" "+r.URL.Path)
	n, meddle := len(p.seen), p.meddle
	p.mu.Unlock()
	if meddle == nil || !meddle(n, w, r) {
		p.next.ServeHTTP(w, r)
	}
}

// count returns how many requests had one of the methods.
func (p *proxy) count(methods ...string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, s := range p.seen {
		method, _, _ := strings.Cut(s, " ")
		if slices.Contains(methods, method) {
			n++
		}
	}
	return n
}

func (p *proxy) meddling(f func(int, http.ResponseWriter, *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meddle = f
}

func (p *proxy) answering(f func(*http.Response) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = f
}

// rest makes the proxy a plain one again.
func (p *proxy) rest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen, p.meddle, p.answer = nil, nil, nil
}

// before starts a proxy before a registry.
func before(t testing.TB, host string) (*proxy, string) {
	p := &proxy{}
	p.next = &httputil.ReverseProxy{
		FlushInterval: -1,
		ErrorLog:      quietLog,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: host})
			r.Out.Host = r.In.Host // so that locations lead through the proxy
		},
		ModifyResponse: func(resp *http.Response) error {
			p.mu.Lock()
			answer := p.answer
			p.mu.Unlock()
			if answer == nil {
				return nil
			}
			return answer(resp)
		},
	}
	return p, serve(t, p)
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
func release(ctx context.Context, repository string, o registry.Options, c content) error {
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
func open(t testing.TB, repository string, o registry.Options) *registry.Repository {
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
func withKeychain() registry.Options {
	o := quick
	o.Keychain = authn.DefaultKeychain
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
