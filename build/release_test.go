package build_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/report"
)

const password = "the key's own password"

// ok ends the test on an error.
func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
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

// module is a copy of a module of testdata in a git repository of its own, released as
// v1.2.3.
func module(t testing.TB, name string) string {
	t.Helper()
	return repositoryOf(t, name, filepath.Join("..", "testdata", "modules", name))
}

// repositoryOf makes a repository of a folder, with a commit and a version.
func repositoryOf(t testing.TB, name, folder string) string {
	t.Helper()
	repo := filepath.Join(t.TempDir(), name)
	ok(t, os.CopyFS(repo, os.DirFS(folder)))
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a commit")
	git(t, repo, "tag", "v1.2.3")
	git(t, repo, "remote", "add", "origin", "https://git.example.com/acme/"+name+".git")
	return repo
}

// newKey makes a key pair as a user does, and gives the private key's path; the public
// one's is publicOf.
func newKey(t testing.TB) string {
	t.Helper()
	prefix := filepath.Join(t.TempDir(), "cosign")
	private, _, err := build.Keys(t.Context(), build.Options{Env: environment("COSIGN_PASSWORD=" + password)}, prefix)
	ok(t, err)
	return private
}

func publicOf(key string) string {
	return strings.TrimSuffix(strings.TrimPrefix(key, keyService), ".key") + ".pub"
}

// options release a module from its folder for one platform, without its tests.
func options(t testing.TB, repo string, change ...func(*settings)) settings {
	t.Helper()
	o := settings{SkipTests: true, Options: build.Options{
		Workdir: repo, Cache: cacheFolder(t), Env: environment("COSIGN_PASSWORD=" + password),
		Platforms: []string{"linux/amd64"},
	}}
	for _, c := range change {
		c(&o)
	}
	return o
}

// to releases to a registry with a key.
func to(host, key string) func(*settings) {
	return func(o *settings) {
		o.Config.Repository, o.Config.Release.Key = host+"/acme", key
	}
}

// registries are those that a release must work with.
var registries = []struct {
	name  string
	start func(testing.TB) string
}{
	{"distribution 3", registrytest.Distribution},
	{"in process without referrers", func(t testing.TB) string { return registrytest.InProcess(t, false) }},
	{"docker-registry of Debian", registrytest.Debian},
}

// tagsOf are a repository's tags that are a reader's: not those of signatures.
func tagsOf(t testing.TB, repository string) map[string]string {
	t.Helper()
	repo := must(name.NewRepository(repository, name.Insecure))
	all, err := remote.List(repo)
	if err != nil {
		return nil // there is no such repository yet
	}
	found := map[string]string{}
	for _, tag := range all {
		if !strings.HasPrefix(tag, "sha256-") {
			found[tag] = must(remote.Head(repo.Tag(tag))).Digest.String()
		}
	}
	return found
}

// notices keeps what a run says.
type notices struct {
	mu  sync.Mutex
	all []string
}

func (n *notices) Start(task string) func(string, error) {
	return func(outcome string, err error) { n.say(fmt.Sprint("stage ", task, ": ", outcome)) }
}
func (n *notices) Notice(text string) { n.say("notice " + text) }
func (n *notices) say(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, text)
}
func (n *notices) with(words string) (found []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.all {
		if strings.Contains(s, words) {
			found = append(found, s)
		}
	}
	return found
}

// verifyScript runs dist/verify/verify.sh with each stock client and nothing else.
func verifyScript(t testing.TB, dist string) error {
	t.Helper()
	var errs []error
	for _, c := range sigstoretest.Cosigns {
		program := c.Build(t)
		home := t.TempDir()
		cmd := testtool.Command(t, "sh", filepath.Join(dist, "verify", "verify.sh"))
		cmd.Env = []string{"HOME=" + home, "DOCKER_CONFIG=" + home, "PATH=" + filepath.Dir(program) + ":/usr/bin:/bin", "TUF_ROOT=" + filepath.Join(home, "tuf")}
		if out, err := cmd.CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("verify.sh with cosign %s: %w\n%s", c.Version, err, out))
		}
	}
	return errors.Join(errs...)
}

// allRefuse says whether verifyScript fails with every one of the clients.
func allRefuse(err error) bool {
	return err != nil && len(err.(interface{ Unwrap() []error }).Unwrap()) == len(sigstoretest.Cosigns)
}

// The whole chain, in every kind of registry: released once, all is there and stock
// clients verify it; released again, nothing is uploaded and all is read back; tampered
// with, nobody takes it.
func TestReleaseToRegistry(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "cosign, oras, Docker and real registries")
	for _, kind := range registries {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			host := kind.start(t)
			p, through := registrytest.Before(t, host)
			repo, key := module(t, "hello"), newKey(t)
			o := options(t, repo, to(through, key), func(o *settings) {
				o.Platforms, o.SkipTests = nil, false
				o.Config.Release.MovingTags = []string{"latest"}
			})
			r, err := build.Release(t.Context(), o.release())
			ok(t, err)
			complete(t, r, through+"/acme/hello")
			digest := r.Images[0].Digest
			if got := tagsOf(t, host+"/acme/hello"); len(got) != 2 || got["v1.2.3"] != digest || got["latest"] != digest {
				t.Errorf("the tags are %v, want v1.2.3 and latest at %s", got, digest)
			}
			ok(t, verifyScript(t, r.Dist))
			report, err := build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(key)}, Source: "https://git.example.com/acme/hello"}), through+"/acme/hello:v1.2.3")
			if err != nil || report.Digest != digest {
				t.Errorf("Verify: %v, %+v", err, report)
			}
			referrers(t, through+"/acme/hello", r)
			runs(t, through+"/acme/hello:v1.2.3", "hello\n")

			p.Forget()
			said := &notices{}
			o.Progress = said
			again, err := build.Release(t.Context(), o.release())
			ok(t, err)
			complete(t, again, through+"/acme/hello")
			if len(said.with("stage sign "+through+"/acme/hello: up to date")) != 1 {
				t.Errorf("the second run signs again: %q", said.with("stage sign"))
			}
			// Asking whether we may push starts an upload that is given up.
			if got := p.Requests(http.MethodPut, http.MethodPatch, http.MethodPost); len(got) != 1 || got[0] != "POST /v2/acme/hello/blobs/uploads/" {
				t.Errorf("the second run uploads: %q", got)
			}
			// The configuration in a signature's manifest says nothing: it must be there, and need not be read.
			read, asked := p.Requests(http.MethodGet), p.Requests(http.MethodHead)
			for _, d := range digests(t, host+"/acme/hello") {
				named := func(s string) bool { return strings.HasSuffix(s, "/"+d) }
				if !slices.ContainsFunc(read, named) && !slices.ContainsFunc(asked, named) {
					t.Errorf("%s was not read back", d)
				}
			}
			if first := must(r.Manifest.JSON()); !bytes.Equal(manifestOf(t, r.Dist), first) {
				t.Error("dist/manifest.json has changed")
			}

			// Whoever can write to the registry replaces the signatures by his own.
			evil, evilKey := host+"/evil/hello", newKey(t)
			_, err = build.Release(t.Context(), options(t, repo, to(host, evilKey), func(o *settings) {
				o.Platforms, o.Config.Repository, o.Config.Dist = nil, host+"/evil", "evil"
			}).release())
			ok(t, err)
			replaceSignatures(t, evil, host+"/acme/hello", r)
			if err := verifyScript(t, r.Dist); !allRefuse(err) {
				t.Errorf("verify.sh takes signatures by another key: %v", err)
			}
			report, err = build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(key)}}), through+"/acme/hello@"+digest)
			refused(t, err, "verification failed", "it does not verify with the expected key")
			if report == nil || len(report.Checks) == 0 {
				t.Error("Verify gives no report")
			}
			// The next release repairs it.
			_, err = build.Release(t.Context(), o.release())
			ok(t, err)
			ok(t, verifyScript(t, r.Dist))
			other := filepath.Join(r.Dist, "verify", "cosign.pub")
			ok(t, os.WriteFile(other, must(os.ReadFile(publicOf(evilKey))), 0o644))
			if err := verifyScript(t, r.Dist); !allRefuse(err) {
				t.Errorf("verify.sh passes with another key: %v", err)
			}
		})
	}
}

func manifestOf(t testing.TB, dist string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dist, "manifest.json"))
	ok(t, err)
	return b
}

// complete checks that a release's manifest has everything of every image and platform.
func complete(t testing.TB, r *build.Result, repositories ...string) {
	t.Helper()
	var m report.Manifest
	ok(t, json.Unmarshal(manifestOf(t, r.Dist), &m))
	want := map[string]int{}
	for i, img := range m.Images {
		repository := ""
		if len(repositories) > 0 {
			repository = repositories[i]
		}
		subjects := []string{img.Digest}
		for _, p := range img.Platforms {
			subjects = append(subjects, p.Digest)
		}
		for i, s := range subjects {
			for _, form := range []string{"bundle", "tag"} {
				for _, of := range []string{"signature", "spdx", "cyclonedx", "provenance", "test-result", "release"} {
					n := 1
					if i == 0 && (of == "spdx" || of == "cyclonedx") {
						n = len(img.Platforms)
					}
					want[strings.Join([]string{repository, s, form, of}, " ")] = n
				}
			}
		}
	}
	got := map[string]int{}
	for _, s := range slices.Concat(m.Signatures, m.Attestations) {
		got[strings.Join([]string{s.Repository, s.Subject, string(s.Form), s.Type}, " ")]++
	}
	for s, n := range want {
		if got[s] != n {
			t.Errorf("manifest.json has %s %d times, want %d", s, got[s], n)
		}
	}
	for s := range got {
		if want[s] == 0 {
			t.Errorf("manifest.json has %s", s)
		}
	}
	if len(m.Archives) != len(m.Images)*len(m.Plan.Platforms) {
		t.Errorf("manifest.json has %d archives", len(m.Archives))
	}
}

// referrers checks what oras finds about an image and its platforms.
func referrers(t testing.TB, repository string, r *build.Result) {
	t.Helper()
	oras := testtool.Tool(t, "oras.land/oras/cmd/oras", "v1.3.6", "")
	for _, digest := range []string{r.Images[0].Digest, r.Images[0].Platforms[0].Digest} {
		out, err := testtool.Command(t, oras, "discover", "--plain-http", "--format=json", repository+"@"+digest).Output()
		ok(t, err)
		var found struct {
			Referrers []struct {
				ArtifactType string            `json:"artifactType"`
				Annotations  map[string]string `json:"annotations"`
			} `json:"referrers"`
		}
		ok(t, json.Unmarshal(out, &found))
		types := map[string]bool{}
		for _, f := range found.Referrers {
			if f.ArtifactType != "application/vnd.dev.sigstore.bundle.v0.3+json" {
				t.Errorf("oras finds a %s", f.ArtifactType)
			}
			types[f.Annotations["dev.sigstore.bundle.predicateType"]] = true
		}
		if len(types) != 6 {
			t.Errorf("oras finds %v about %s: %s", types, digest, out)
		}
	}
}

// runs pulls an image by its tag with the engine, and runs it.
func runs(t testing.TB, ref, want string) {
	t.Helper()
	testtool.Docker(t)
	docker := func(args ...string) string {
		t.Helper()
		var stderr bytes.Buffer
		cmd := testtool.Command(t, "docker", args...)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("docker %s: %v\n%s", args[0], err, stderr.String())
		}
		return string(out)
	}
	docker("pull", "-q", ref)
	t.Cleanup(func() { _ = testtool.Command(t, "docker", "rmi", ref).Run() })
	if out := docker("run", "--rm", ref); out != want {
		t.Errorf("%s says %q, want %q", ref, out, want)
	}
}

// digests are all that a repository has: what its tags lead to.
func digests(t testing.TB, repository string) []string {
	t.Helper()
	repo := must(name.NewRepository(repository, name.Insecure))
	seen := map[string]bool{}
	var visit func(d v1.Hash)
	visit = func(d v1.Hash) {
		if seen[d.String()] {
			return
		}
		seen[d.String()] = true
		got, err := remote.Get(repo.Digest(d.String()))
		ok(t, err)
		var m struct {
			Manifests, Layers []v1.Descriptor
			Config            v1.Descriptor
		}
		ok(t, json.Unmarshal(got.Manifest, &m))
		for _, c := range m.Manifests {
			visit(c.Digest)
		}
		for _, l := range append(m.Layers, m.Config) {
			if l.Digest.Hex != "" {
				seen[l.Digest.String()] = true
			}
		}
	}
	tags, err := remote.List(repo)
	ok(t, err)
	for _, tag := range tags {
		d := must(remote.Head(repo.Tag(tag))).Digest
		if got := must(remote.Get(repo.Tag(tag))); strings.HasPrefix(tag, "sha256-") && got.MediaType.IsIndex() {
			for _, m := range must(must(got.ImageIndex()).IndexManifest()).Manifests {
				visit(m.Digest) // the list of referrers is read by its tag
			}
			continue
		}
		visit(d)
	}
	if len(seen) < 10 {
		t.Fatalf("%s has only %d digests", repository, len(seen))
	}
	var all []string
	for d := range seen {
		all = append(all, d)
	}
	return all
}

// replaceSignatures puts everything that another repository says about the same
// digests in the place of a repository's own.
func replaceSignatures(t testing.TB, from, into string, r *build.Result) {
	t.Helper()
	source, target := must(name.NewRepository(from, name.Insecure)), must(name.NewRepository(into, name.Insecure))
	subjects := []string{r.Images[0].Digest}
	for _, p := range r.Images[0].Platforms {
		subjects = append(subjects, p.Digest)
	}
	for _, s := range subjects {
		tag := strings.Replace(s, ":", "-", 1)
		for _, suffix := range []string{".sig", ".att"} {
			ok(t, remote.Write(target.Tag(tag+suffix), must(remote.Image(source.Tag(tag+suffix)))))
		}
		ok(t, remote.WriteIndex(target.Tag(tag), must(remote.Index(source.Tag(tag)))))
	}
}
