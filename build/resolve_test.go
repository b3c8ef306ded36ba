package build_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// A manifest gets the digests of a release from the registry, and from nobody who moved a tag,
// replaced a signature or changed the lock.
func TestResolveFromRegistry(t *testing.T) {
	t.Run("in process", func(t *testing.T) { resolveFrom(t, registrytest.InProcess(t, true)) })
	t.Run("distribution 3", func(t *testing.T) {
		testtool.OnRequest(t, "a real registry")
		resolveFrom(t, registrytest.Distribution(t))
	})
}

func resolveFrom(t *testing.T, host string) {
	repo, key := module(t, "hello"), newKey(t)
	o := options(t, repo, to(host, key), func(o *settings) {
		o.Config.Release.OmitArchives, o.Config.Release.Repositories = true, []string{host + "/mirror"}
	})
	first, err := build.Release(t.Context(), o.release())
	ok(t, err)
	git(t, repo, "commit", "-q", "--allow-empty", "-m", "next")
	git(t, repo, "tag", "v1.3.0")
	second, err := build.Release(t.Context(), o.release())
	ok(t, err)
	v1, v2 := first.Images[0].Digest, second.Images[0].Digest
	if v1 == v2 {
		t.Fatal("both releases have one digest")
	}
	lock := filepath.Join(t.TempDir(), "images.json")
	resolve := func(manifest string, change ...func(*build.ResolveOptions)) (string, error) {
		t.Helper()
		r := build.ResolveOptions{VerifyOptions: verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(key)}}), Files: []string{"-"}, Stdin: strings.NewReader(manifest)}
		for _, c := range change {
			c(&r)
		}
		b, err := build.Resolve(t.Context(), r)
		return string(b), err
	}
	from := func(tag string) func(*build.ResolveOptions) {
		return func(r *build.ResolveOptions) { r.From = tag }
	}
	manifest := "a: ko://example.com/hello # 1\nimage: '" + host + "/mirror/hello:v0'\n"
	want := func(digest string) string {
		return "a: " + host + "/acme/hello@" + digest + " # 1\nimage: '" + host + "/mirror/hello@" + digest + "'\n"
	}
	for tag, digest := range map[string]string{"v1.2.3": v1, "v1.3.0": v2, "": v2} {
		if got, err := resolve(manifest, from(tag)); err != nil || got != want(digest) {
			t.Errorf("from %q: %v\n%swant\n%s", tag, err, got, want(digest))
		}
	}
	if got, err := resolve(manifest, from("v1.2.3"), func(r *build.ResolveOptions) { r.Lock = lock }); err != nil || got != want(v1) {
		t.Errorf("with a lock: %v\n%s", err, got)
	}
	replay := func(r *build.ResolveOptions) { r.Lock, r.Workdir, r.Keys = lock, t.TempDir(), nil }
	if got, err := resolve(manifest, replay); err != nil || got != want(v1) {
		t.Errorf("from the lock: %v\n%s", err, got)
	}

	// Another key, and another source.
	_, err = resolve(manifest, from("v1.2.3"), func(r *build.ResolveOptions) { r.Keys = []string{publicOf(newKey(t))} })
	refused(t, err, "verify "+host+"/acme/hello", "verification failed", "it does not verify with the expected key")
	_, err = resolve(manifest, from("v1.2.3"), func(r *build.ResolveOptions) { r.Source = "https://git.example.com/acme/fork" })
	refused(t, err, "verification failed", "not from git.example.com/acme/fork")

	// The lock names an image that nobody released.
	b, err := os.ReadFile(lock)
	ok(t, err)
	stranger := must(random.Image(100, 1))
	ok(t, remote.Write(must(name.ParseReference(host+"/acme/hello:preview")), stranger))
	ok(t, os.WriteFile(lock, []byte(strings.ReplaceAll(string(b), v1, must(stranger.Digest()).String())), 0o600))
	_, err = resolve(manifest, replay)
	refused(t, err, "verification failed", "there is none")
	if !json.Valid(b) {
		t.Error("the lock is no JSON")
	}

	// The tag is moved to an unsigned image, to another signed release, and away in one registry.
	repository := must(name.NewRepository(host + "/acme/hello"))
	tag := repository.Tag("v1.2.3")
	ok(t, remote.Write(tag, stranger))
	got, err := resolve(manifest, from("v1.2.3"))
	refused(t, err, "verification failed", "signature of", "there is none")
	ok(t, remote.Tag(tag, must(remote.Get(repository.Digest(v2)))))
	got2, err := resolve(manifest, from("v1.2.3"))
	refused(t, err, "verification failed", "the tag v1.2.3 is a version, but this digest was released as hello v1.3.0")
	if got+got2 != "" {
		t.Errorf("something is written: %s%s", got, got2)
	}
	// A tag that is no version may point to any release, but to the same one in every registry.
	mirror := must(name.NewRepository(host + "/mirror/hello"))
	ok(t, remote.Tag(repository.Tag("stable"), must(remote.Get(repository.Digest(v1)))))
	ok(t, remote.Tag(mirror.Tag("stable"), must(remote.Get(mirror.Digest(v2)))))
	_, err = resolve(manifest, from("stable"))
	refused(t, err, "stable of "+host+"/mirror/hello is another image than in "+host+"/acme/hello", v1, v2)
	if got, err := resolve("image: "+host+"/acme/hello", from("stable")); err != nil || got != "image: "+host+"/acme/hello@"+v1 {
		t.Errorf("from a tag that is no version: %v\n%s", err, got)
	}
	// The digest is as good as before.
	ok(t, os.WriteFile(lock, b, 0o600))
	if got, err := resolve(manifest, replay); err != nil || got != want(v1) {
		t.Errorf("from the lock, again: %v\n%s", err, got)
	}
}
