package build_test

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
)

// retag points a tag at a digest, as whoever can write to the repository may.
func retag(t testing.TB, repository, digest, tag string) {
	t.Helper()
	repo := must(name.NewRepository(repository, name.Insecure))
	ok(t, remote.Tag(repo.Tag(tag), must(remote.Get(repo.Digest(digest)))))
}

// An image passes under the tags of its own release only, and not as another image.
func TestReplay(t *testing.T) {
	t.Parallel()
	host := registrytest.InProcess(t, false)
	key := newServedKey(t)
	repo := module(t, "several")
	o := options(t, repo, to(host, key), func(o *settings) {
		o.Config.Release.MovingTags = []string{"latest"}
	})
	first, err := build.Release(t.Context(), o.release())
	ok(t, err)
	git(t, repo, "commit", "-q", "--allow-empty", "-m", "next")
	git(t, repo, "tag", "v1.3.0")
	second, err := build.Release(t.Context(), o.release())
	ok(t, err)
	api, other := first.Images[0], first.Images[1]
	repository := host + "/acme/" + api.Name
	if api.Digest == second.Images[0].Digest {
		t.Fatal("both versions have one digest")
	}

	retag(t, repository, api.Digest, "v1.4.0")
	retag(t, repository, api.Digest, "1.4.0")
	retag(t, repository, api.Digest, "1.2.3")
	retag(t, repository, api.Digest, "stable")
	retag(t, repository, api.Digest, "latest")
	copied := host + "/acme/" + other.Name
	ok(t, copyAll(t, repository, api.Digest, copied, "v7.0.0", "nightly"))
	ok(t, copyAll(t, repository, api.Digest, host+"/mirror/anything", "v1.2.3", "v7.0.0"))
	for ref, want := range map[string]string{
		repository + ":v1.2.3":               "",
		repository + ":1.2.3":                "",
		repository + ":v1.3.0":               "",
		repository + ":stable":               "",
		repository + ":latest":               "", // that it went back cannot be seen
		repository + "@" + api.Digest:        "",
		repository + ":v1.2.3@" + api.Digest: "",
		repository + ":v1.4.0":               "the tag v1.4.0 is a version, but this digest was released as " + api.Name + " v1.2.3",
		repository + ":1.4.0":                "the tag 1.4.0 is a version",
		repository + ":v1.4.0@" + api.Digest: "the tag v1.4.0 is a version",
		copied + ":v7.0.0":                   "the tag v7.0.0 is a version",
		copied + ":nightly":                  "the repository has the name of the image " + other.Name,
		copied + "@" + api.Digest:            "the repository has the name of the image " + other.Name,
		copied + ":v1.2.3":                   "",
		host + "/mirror/anything:v1.2.3":     "",
		host + "/mirror/anything:v7.0.0":     "the tag v7.0.0 is a version",
	} {
		report, err := build.Verify(t.Context(), verifying(build.Options{Workdir: t.TempDir(), Env: environment()}, build.VerifyOptions{Keys: []string{publicOf(key)}}), ref)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", ref, err, want)
			}
			again := build.RebuildOptions{VerifyOptions: build.VerifyOptions{Keys: []string{publicOf(key)}}, Mirror: repo}
			if _, err := build.Rebuild(t.Context(), rebuilding(build.Options{Workdir: t.TempDir(), Env: environment()}, again), ref, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("reproduce %s: %v, want %q", ref, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		said := ""
		for _, c := range report.Checks {
			if c.Check == "release" {
				said = c.Detail
			}
		}
		if !strings.Contains(said, " v1.") {
			t.Errorf("%s: the report does not say which version it is: %+v", ref, report.Checks)
		}
	}
}

// copyAll copies an index and all that is stored about it and its images, with its tags.
func copyAll(t testing.TB, from, digest, to string, tags ...string) error {
	t.Helper()
	source, target := must(name.NewRepository(from, name.Insecure)), must(name.NewRepository(to, name.Insecure))
	index := must(remote.Index(source.Digest(digest)))
	digests := []string{digest}
	for _, d := range must(index.IndexManifest()).Manifests {
		digests = append(digests, d.Digest.String())
	}
	for _, tag := range tags {
		if err := remote.WriteIndex(target.Tag(tag), index); err != nil {
			return err
		}
	}
	for _, d := range digests {
		tag := strings.Replace(d, ":", "-", 1)
		for _, suffix := range []string{".sig", ".att"} {
			if err := crane.Copy(source.Tag(tag+suffix).Name(), target.Tag(tag+suffix).Name(), crane.Insecure); err != nil {
				return err
			}
		}
	}
	return nil
}
