package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// chain are the stock programs for the same release by hand, with the oldest tested version of
// each.
var chain = map[string]string{"ko": "v0.19.1", "syft": "v1.57.0", "cosign": "v2.6.5"}

const releaseLimit = 0.25

// release compares the time of a release with nothing changed with that of the chain that it
// replaces, if its programs are in PATH.
func (b *benchmark) release() error {
	fmt.Println()
	for _, program := range []string{"ko", "syft", "cosign"} {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Printf("no release was measured: %s %s is not in PATH\n", program, chain[program])
			return nil
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	counted := &counting{next: registry.New(registry.WithReferrersSupport(true),
		registry.Logger(log.New(io.Discard, "", 0)))}
	server := &http.Server{Handler: counted, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	err = b.releases(counted, listener.Addr().String())
	err = errors.Join(err, server.Close())
	if stopped := <-served; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	return err
}

func (b *benchmark) releases(counted *counting, host string) error {
	if err := b.fresh("sample-service"); err != nil {
		return err
	}
	const password = "bench"
	b.env = append(b.env, "COSIGN_PASSWORD="+password, "COSIGN_YES=true")
	keys := filepath.Join(b.dir, "keys")
	if err := os.Mkdir(keys, 0o700); err != nil {
		return err
	}
	if _, _, err := b.run([]string{"cosign", "generate-key-pair", "--output-key-prefix",
		filepath.Join(keys, "cosign")}); err != nil {
		return err
	}
	key := filepath.Join(keys, "cosign.key")
	ours := func() (time.Duration, error) {
		elapsed, _, err := b.run([]string{b.mage, "release"}, "THIMBLE_REPOSITORY="+host+"/ours",
			"THIMBLE_KEY="+key)
		return elapsed, err
	}
	theirs := &handmade{benchmark: b, host: host, key: key}

	counted.reset()
	if _, err := ours(); err != nil {
		return err
	}
	released := counted.reset().uploaded
	if err := theirs.prepare(); err != nil {
		return err
	}
	var warm traffic
	both, err := b.alternate(theirs.run, func() (time.Duration, error) {
		counted.reset()
		elapsed, err := ours()
		warm = counted.reset()
		return elapsed, err
	})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "what\tko, syft, cosign\tmage release\tratio\tlimit\n")
	fmt.Fprint(w, both.row("a release, nothing changed", releaseLimit))
	if err := w.Flush(); err != nil {
		return err
	}
	missed := 0
	for digest := range released {
		if !warm.read[digest] {
			missed++
		}
	}
	fmt.Printf("%d requests; of %d digests of the release %d were read back; %d uploads\n",
		warm.requests, len(released), len(released)-missed, len(warm.uploaded))
	if missed > 0 || len(warm.uploaded) > 0 {
		return fmt.Errorf(
			"a release with nothing changed read back all but %d of its digests, and uploaded %d",
			missed, len(warm.uploaded))
	}
	return nil
}

// fresh replaces the copy by that of a folder, in a new repository with a tag.
func (b *benchmark) fresh(folder string) error {
	if err := os.RemoveAll(b.repo); err != nil {
		return err
	}
	if err := os.CopyFS(b.repo, os.DirFS(folder)); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "-A"},
		{"-c", "user.name=bench", "-c", "user.email=bench@example.com", "commit", "-q", "-m", "bench"},
		{"tag", "v1.0.0"},
	} {
		if _, _, err := b.run(append([]string{"git"}, args...)); err != nil {
			return err
		}
	}
	return nil
}

// handmade is the same release by hand, for two platforms and their index: image, both SBOMs of
// each platform, and of each digest a signature and three attestations.
type handmade struct {
	*benchmark
	host, key, folder string
}

func (h *handmade) prepare() error {
	h.folder = filepath.Join(h.dir, "handmade")
	if err := os.Mkdir(h.folder, 0o755); err != nil {
		return err
	}
	base, err := emptyBase()
	if err != nil {
		return err
	}
	ref, err := name.ParseReference(h.host + "/base:latest")
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(ref, base, remote.WithContext(h.ctx)); err != nil {
		return err
	}
	h.env = append(h.env, "KO_DEFAULTBASEIMAGE="+ref.Name(), "KO_DOCKER_REPO="+h.host+"/theirs",
		"KOCACHE="+filepath.Join(h.folder, "ko"),
		"SYFT_CHECK_FOR_APP_UPDATE=false", "SYFT_REGISTRY_INSECURE_USE_HTTP=true", "GOTOOLCHAIN=local")
	provenance := `{"buildDefinition":{"buildType":"https://example.com/ko","externalParameters":{}},"runDetails":{"builder":{"id":"https://example.com/hand"}}}`
	return os.WriteFile(filepath.Join(h.folder, "provenance.json"), []byte(provenance), 0o644)
}

// emptyBase returns scratch in the form for ko.
func emptyBase() (v1.ImageIndex, error) {
	base := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, architecture := range []string{"amd64", "arm64"} {
		image, err := mutate.ConfigFile(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
			&v1.ConfigFile{OS: "linux", Architecture: architecture, RootFS: v1.RootFS{Type: "layers"}})
		if err != nil {
			return nil, err
		}
		platform := &v1.Platform{OS: "linux", Architecture: architecture}
		base = mutate.AppendManifests(base, mutate.IndexAddendum{Add: image,
			Descriptor: v1.Descriptor{Platform: platform}})
	}
	return base, nil
}

// run returns the total time of its commands.
func (h *handmade) run() (time.Duration, error) {
	var sum time.Duration
	step := func(args ...string) error {
		elapsed, _, err := h.benchmark.run(args)
		sum += elapsed
		return err
	}
	refs := filepath.Join(h.folder, "refs")
	if err := step("ko", "build", "--bare", "--sbom=none", "--platform=linux/amd64,linux/arm64",
		"--image-refs="+refs, "./cmd/sample-service"); err != nil {
		return 0, err
	}
	images, err := h.images(refs)
	if err != nil {
		return 0, err
	}
	for i, image := range images[1:] {
		if err := step("syft", "-q", "scan", "registry:"+image, "-o", "spdx-json="+h.file("spdx", i+1), "-o",
			"cyclonedx-json="+h.file("cdx", i+1)); err != nil {
			return 0, err
		}
	}
	for i, image := range images {
		platform := max(i, 1) // the index gets the first platform's
		common := []string{"--key=" + h.key, "--tlog-upload=false"}
		if err := step(append(append([]string{"cosign", "sign"}, common...), image)...); err != nil {
			return 0, err
		}
		for _, predicate := range [][2]string{
			{"spdxjson", h.file("spdx", platform)}, {"cyclonedx", h.file("cdx", platform)},
			{"slsaprovenance1", filepath.Join(h.folder, "provenance.json")},
		} {
			attest := []string{"cosign", "attest", "--replace", "--type=" + predicate[0],
				"--predicate=" + predicate[1]}
			if err := step(append(append(attest, common...), image)...); err != nil {
				return 0, err
			}
		}
	}
	return sum, nil
}

func (h *handmade) file(kind string, n int) string {
	return filepath.Join(h.folder, fmt.Sprintf("%s-%d.json", kind, n))
}

// images returns the index and its platforms, by digest, as ko has written them.
func (h *handmade) images(refs string) ([]string, error) {
	text, err := os.ReadFile(refs)
	if err != nil {
		return nil, err
	}
	lines := strings.Fields(string(text))
	if len(lines) == 0 {
		return nil, errors.New("ko printed no image")
	}
	for _, line := range lines {
		manifest, err := h.index(line)
		if err != nil {
			return nil, err
		}
		if len(manifest.Manifests) == 2 {
			at, digest, _ := strings.Cut(line, "@")
			return []string{at + "@" + digest, at + "@" + manifest.Manifests[0].Digest.String(),
				at + "@" + manifest.Manifests[1].Digest.String()}, nil
		}
	}
	return nil, fmt.Errorf("ko printed no index of two platforms: %q", lines)
}

func (h *handmade) index(ref string) (*v1.IndexManifest, error) {
	_, rest, _ := strings.Cut(ref, "/")
	repository, digest, _ := strings.Cut(rest, "@")
	repository, _, _ = strings.Cut(repository, ":")
	answer, err := http.Get("http://" + h.host + "/v2/" + repository + "/manifests/" + digest)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var m v1.IndexManifest
	return &m, json.NewDecoder(answer.Body).Decode(&m)
}

// counting is a proxy of a registry that records requests.
type counting struct {
	next http.Handler
	mu   sync.Mutex
	now  traffic
}

// traffic says which digests were uploaded, and which were read completely.
type traffic struct {
	requests       int
	uploaded, read map[string]bool
}

// reset clears the record and returns it.
func (c *counting) reset() traffic {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.now
	c.now = traffic{uploaded: map[string]bool{}, read: map[string]bool{}}
	return was
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	c.next.ServeHTTP(status, r)
	digest := r.URL.Query().Get("digest")
	if digest == "" {
		digest = w.Header().Get("Docker-Content-Digest")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.requests++
	switch {
	case r.Method == http.MethodPatch: // part of a blob
	case r.Method == http.MethodPut && status.status == http.StatusCreated:
		c.now.uploaded[digest] = true
	case r.Method == http.MethodGet && status.status == http.StatusOK && strings.HasPrefix(digest, "sha256:"):
		c.now.read[digest] = true
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
