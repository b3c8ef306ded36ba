package build_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// writes are the requests that leave something in a registry. The start of an upload
// that is given up does not.
func writes(p *registrytest.Proxy) []string { return p.Requests(http.MethodPut, http.MethodPatch) }

// provenance is the signed provenance of a digest, read from its attestations' tag.
func provenance(t testing.TB, repository, digest string) map[string]any {
	t.Helper()
	repo := must(name.NewRepository(repository, name.Insecure))
	img := must(remote.Image(repo.Tag(strings.Replace(digest, ":", "-", 1) + ".att")))
	for _, l := range must(img.Layers()) {
		statement := statementOf(t, must(io.ReadAll(must(l.Uncompressed()))))
		if statement["predicateType"] == "https://slsa.dev/provenance/v1" {
			return statement["predicate"].(map[string]any)
		}
	}
	t.Fatalf("%s has no provenance", digest)
	return nil
}

// statementOf is the in-toto statement in a DSSE envelope.
func statementOf(t testing.TB, envelope []byte) map[string]any {
	t.Helper()
	var e struct {
		Payload string `json:"payload"`
	}
	ok(t, json.Unmarshal(envelope, &e))
	var statement map[string]any
	ok(t, json.Unmarshal(must(base64.StdEncoding.DecodeString(e.Payload)), &statement))
	return statement
}

// What stops a release stops it before anything is pushed; the flag that overrides it
// is in the signed provenance, alone.
func TestReleaseGates(t *testing.T) {
	t.Parallel()
	write := func(file, content string) func(t *testing.T, repo string) {
		return func(t *testing.T, repo string) {
			ok(t, os.WriteFile(filepath.Join(repo, file), []byte(content), 0o644))
		}
	}
	for _, gate := range []struct {
		name     string
		prepare  func(t *testing.T, repo string)
		says     []string
		allow    func(*settings)
		override string
	}{
		{"dirty tree", write("main.go", "package main\n\nfunc main() { println(\"changed\") }\n"),
			[]string{"the tree differs from the commit", "main.go", "-allowDirty"},
			func(o *settings) { o.AllowDirty = true }, "dirtyTree"},
		{"untagged commit", func(t *testing.T, repo string) { git(t, repo, "tag", "-d", "v1.2.3") },
			[]string{"the commit has no version tag", "git tag", "-allowUntagged"},
			func(o *settings) { o.AllowUntagged = true }, "untaggedCommit"},
		{"failing tests", func(t *testing.T, repo string) {
			write("main_test.go", "package main\n\nimport \"testing\"\n\nfunc TestBroken(t *testing.T) { t.Fatal(\"it is broken\") }\n")(t, repo)
			git(t, repo, "commit", "-qam", "a broken test")
			git(t, repo, "tag", "-f", "v1.2.3")
		}, []string{"TestBroken"}, func(o *settings) { o.AllowFailingTests = true }, "failingTests"},
	} {
		t.Run(gate.name, func(t *testing.T) {
			t.Parallel()
			p, host := registrytest.Before(t, registrytest.InProcess(t, true))
			repo := module(t, "hello")
			gate.prepare(t, repo)
			o := options(t, repo, to(host, newKey(t)), func(o *settings) { o.SkipTests = false })
			_, err := build.Release(t.Context(), o.release())
			refused(t, err, gate.says...)
			if got := writes(p); len(got) > 0 {
				t.Errorf("it wrote %q", got)
			}
			if _, err := os.Stat(filepath.Join(repo, "dist", "manifest.json")); err == nil {
				t.Error("dist has changed")
			}
			gate.allow(&o)
			r, err := build.Release(t.Context(), o.release())
			ok(t, err)
			for _, digest := range []string{r.Images[0].Digest, r.Images[0].Platforms[0].Digest} {
				definition := provenance(t, host+"/acme/hello", digest)["buildDefinition"].(map[string]any)
				overrides := definition["externalParameters"].(map[string]any)["overrides"].(map[string]any)
				for of, set := range overrides {
					if set != (of == gate.override) {
						t.Errorf("provenance says %s: %v", of, set)
					}
				}
				if len(overrides) != 4 {
					t.Errorf("provenance has overrides %v", overrides)
				}
			}
			if got := tagsOf(t, host+"/acme/hello"); len(got) != 1 || got[r.Images[0].Tags[0]] != r.Images[0].Digest {
				t.Errorf("the tags are %v", got)
			}
		})
	}
}

// A version's tag never moves; latest does, because Config says so.
func TestReleaseTags(t *testing.T) {
	t.Parallel()
	p, host := registrytest.Before(t, registrytest.InProcess(t, true))
	repo := module(t, "hello")
	repository := must(name.NewRepository(host+"/acme/hello", name.Insecure))
	other := must(random.Image(100, 1))
	ok(t, remote.Write(repository.Tag("v1.2.3"), other))
	ok(t, remote.Write(repository.Tag("latest"), other))
	p.Forget()
	o := options(t, repo, to(host, newKey(t)), func(o *settings) { o.Config.Release.MovingTags = []string{"latest"} })
	_, err := build.Release(t.Context(), o.release())
	refused(t, err, "v1.2.3", "points to "+must(other.Digest()).String(), "release another version")
	if got := writes(p); len(got) > 0 {
		t.Errorf("it wrote %q", got)
	}
	for tag, digest := range tagsOf(t, host+"/acme/hello") {
		if digest != must(other.Digest()).String() {
			t.Errorf("%s was moved", tag)
		}
	}
	git(t, repo, "tag", "-d", "v1.2.3")
	git(t, repo, "tag", "v1.2.4")
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	got := tagsOf(t, host+"/acme/hello")
	if digest := r.Images[0].Digest; got["latest"] != digest || got["v1.2.4"] != digest || got["v1.2.3"] != must(other.Digest()).String() {
		t.Errorf("the tags are %v", got)
	}
}

// A pre-release leaves latest where it is, and says so, unless Config wants it moved.
func TestReleaseOfAPrerelease(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "it releases several times")
	host := registrytest.InProcess(t, true)
	repo := module(t, "hello")
	said := &notices{}
	o := options(t, repo, to(host, newKey(t)), func(o *settings) {
		o.Config.Release.MovingTags, o.Progress = []string{"latest"}, said
	})
	final, err := build.Release(t.Context(), o.release())
	ok(t, err)
	git(t, repo, "commit", "-q", "--allow-empty", "-m", "second")
	git(t, repo, "tag", "v1.3.0-rc.1")
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	if got := tagsOf(t, host+"/acme/hello"); got["latest"] != final.Images[0].Digest || got["v1.3.0-rc.1"] != r.Images[0].Digest {
		t.Errorf("the tags are %v", got)
	}
	if slices.Contains(r.Images[0].Tags, "latest") {
		t.Errorf("the manifest has the tags %q", r.Images[0].Tags)
	}
	if len(said.with("latest is not moved: v1.3.0-rc.1 is a pre-release; set Config.Release.MoveTagsForPrereleases")) != 1 {
		t.Errorf("it said %q", said.with("latest"))
	}
	o.Config.Release.MoveTagsForPrereleases = true
	r, err = build.Release(t.Context(), o.release())
	ok(t, err)
	if got := tagsOf(t, host+"/acme/hello"); got["latest"] != r.Images[0].Digest || !slices.Contains(r.Images[0].Tags, "latest") {
		t.Errorf("the tags are %v, in the manifest %q", got, r.Images[0].Tags)
	}
}

// Bad input: a clear error with the way out, and nothing changed.
func TestReleaseRefuses(t *testing.T) {
	t.Parallel()
	host := registrytest.InProcess(t, true)
	key := newKey(t)
	foreign := filepath.Join(t.TempDir(), "foreign.key")
	ok(t, os.WriteFile(foreign, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600))
	status := func(code int) string {
		p, front := registrytest.Before(t, host)
		p.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				w.WriteHeader(code)
				fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"no"}]}`)
				return true
			}
			return false
		})
		return front
	}
	for what, test := range map[string]struct {
		change func(*settings)
		says   []string
	}{
		"no key and no identity": {to(host, ""), []string{"there is no key and no identity", "mage keys", "THIMBLE_KEY"}},
		"wrong password": {func(o *settings) {
			to(host, key)(o)
			o.Env = environment("COSIGN_PASSWORD=another")
		}, []string{"password"}},
		"no password": {func(o *settings) {
			to(host, key)(o)
			o.Env = environment()
		}, []string{"COSIGN_PASSWORD"}},
		"no key file":           {to(host, key+".gone"), []string{"gone", "no such file"}},
		"foreign key file":      {to(host, foreign), []string{"foreign.key"}},
		"unknown key scheme":    {to(host, "vaultofmine://key"), []string{"vaultofmine"}},
		"provider not imported": {to(host, "awskms:///alias/key"), []string{"awskms", "import"}},
		"malformed repository":  {to(host+"/UPPER case", key), []string{"UPPER case"}},
		"401":                   {to(status(http.StatusUnauthorized), key), []string{"docker login"}},
		"403":                   {to(status(http.StatusForbidden), key), []string{"acme/hello"}},
		"no such registry":      {to("127.0.0.1:1", key), []string{"127.0.0.1:1"}},
		"unknown form": {func(o *settings) {
			to(host, key)(o)
			o.Config.Release.Forms = []string{"wax"}
		}, []string{"wax", "bundle"}},
		"unknown log version": {func(o *settings) {
			to(host, key)(o)
			o.Config.Release.Logs = []build.TransparencyLog{{URL: "http://127.0.0.1:1", Version: 3}}
		}, []string{"version 3", "1 or 2"}},
		"malformed moving tag": {func(o *settings) {
			to(host, key)(o)
			o.Config.Release.MovingTags = []string{"so ist es"}
		}, []string{"so ist es", "is not a tag"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			repo := module(t, "hello")
			_, err := build.Release(t.Context(), options(t, repo, test.change).release())
			refused(t, err, test.says...)
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			if _, err := os.Stat(filepath.Join(repo, "dist", "manifest.json")); err == nil {
				t.Error("dist has changed")
			}
			if got := tagsOf(t, host+"/acme/hello"); len(got) > 0 {
				t.Errorf("there are tags: %v", got)
			}
		})
	}
}

// Sign takes a digest of what is there, and signs it once.
func TestSign(t *testing.T) {
	t.Parallel()
	p, host := registrytest.Before(t, registrytest.InProcess(t, false))
	repository := must(name.NewRepository(host+"/acme/other", name.Insecure))
	img := must(random.Image(100, 1))
	ok(t, remote.Write(repository.Tag("v1"), img))
	key := newKey(t)
	o := options(t, t.TempDir(), func(o *settings) { o.Config.Release.Key = key })
	p.Forget()
	_, err := build.Sign(t.Context(), o.Options, host+"/acme/other:v1")
	refused(t, err, "is a tag", "give the digest")
	_, err = build.Sign(t.Context(), o.Options, host+"/acme/other")
	refused(t, err, "is a tag")
	_, err = build.Sign(t.Context(), o.Options, "oci:dist/oci/hello")
	refused(t, err, "it is an OCI layout", "mage release")
	_, err = build.Sign(t.Context(), o.Options, host+"/acme/other@sha256:"+strings.Repeat("ab", 32))
	refused(t, err, "there is no such image")
	if got := writes(p); len(got) > 0 {
		t.Errorf("it wrote %q", got)
	}
	ref := host + "/acme/other@" + must(img.Digest()).String()
	if n, err := build.Sign(t.Context(), o.Options, ref); err != nil || n == 0 {
		t.Errorf("Sign = %d, %v", n, err)
	}
	if n, err := build.Sign(t.Context(), o.Options, ref); err != nil || n != 0 {
		t.Errorf("Sign again = %d, %v", n, err)
	}
}

// Verify says what is missing.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	host := registrytest.InProcess(t, true)
	key := newKey(t)
	repo := module(t, "hello")
	o := options(t, repo, to(host, key))
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	o.Config = build.Config{} // a stranger has none of it
	ref := host + "/acme/hello:v1.2.3"
	expected := build.VerifyOptions{Keys: []string{publicOf(key)}}
	_, err = build.Verify(t.Context(), verifying(o.Options, expected), host+"/acme/hello:v9")
	refused(t, err, "there is no such image")
	_, err = build.Verify(t.Context(), verifying(o.Options, expected), host+"/acme/hello@sha256:"+strings.Repeat("ab", 32))
	refused(t, err, "there is no such image")
	_, err = build.Verify(t.Context(), verifying(o.Options, expected), "Not A Reference")
	refused(t, err, "it is not a reference")
	_, err = build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{}), ref)
	refused(t, err, "whose signature is expected", "-key")
	for says, want := range map[string]build.VerifyOptions{
		"with -trustedRoot": {Identity: "a@example.com", Issuer: "https://issuer.example.com"},
		"with -issuer":      {Identity: "a@example.com"},
		"with -identity":    {Issuer: "https://issuer.example.com"},
	} {
		report, err := build.Verify(t.Context(), verifying(o.Options, want), ref)
		refused(t, err, says)
		if report != nil {
			t.Errorf("nothing was checked, and the report is %+v", report)
		}
	}
	for _, url := range []string{"https://me:s3cret@" + ref, "me:s3cret@" + ref, "me:s3cret@" + ref + "@sha256:" + strings.Repeat("ab", 32)} {
		_, err = build.Verify(t.Context(), verifying(o.Options, expected), url)
		refused(t, err, "it is not a reference")
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error has the password: %v", err)
		}
	}

	check := func(want build.VerifyOptions, outcomes map[string]string) {
		t.Helper()
		report, err := build.Verify(t.Context(), verifying(o.Options, want), ref)
		refused(t, err, "verification failed")
		if report == nil || report.Digest != r.Images[0].Digest {
			t.Fatalf("the report is %+v", report)
		}
		got := map[string]string{}
		for _, c := range report.Checks {
			if c.Outcome == "failed" {
				got[c.Check] = string(c.Outcome)
			}
		}
		for of, outcome := range outcomes {
			if got[of] != outcome {
				t.Errorf("%s %s, want %s: %+v", of, got[of], outcome, report.Checks)
			}
		}
	}
	check(build.VerifyOptions{Keys: []string{publicOf(newKey(t))}}, map[string]string{"signature": "failed", "provenance": "failed", "spdx": "failed", "cyclonedx": "failed"})
	check(build.VerifyOptions{Keys: []string{publicOf(key)}, Source: "https://git.example.com/acme/other"}, map[string]string{"source": "failed", "signature": ""})
	// While keys are rotated, any of them counts.
	_, err = build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(newKey(t)), publicOf(key)}}), ref)
	ok(t, err)

	// An image under the tag that was never released.
	repository := must(name.NewRepository(host+"/acme/hello", name.Insecure))
	ok(t, remote.Write(repository.Tag("v1.2.3"), must(random.Image(100, 1))))
	_, err = build.Verify(t.Context(), verifying(o.Options, expected), ref)
	refused(t, err, "verification failed", "signature")
}
