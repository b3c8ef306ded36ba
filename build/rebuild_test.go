package build_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// stranger rebuilds from a folder that has nothing of the service, with this machine's build
// cache.
func stranger(t testing.TB, change ...func(*settings)) settings {
	t.Helper()
	return options(t, t.TempDir(), append([]func(*settings){warm(t), func(o *settings) { o.Platforms = nil }}, change...)...)
}

// From nothing but an image, its provenance and the signer's public key: the same
// image, and an attestation of that by somebody else.
func TestRebuild(t *testing.T) {
	testtool.OnRequest(t, "cosign")
	host := registrytest.InProcess(t, true)
	repo, key := module(t, "hello"), newKey(t)
	o := options(t, repo, to(host, key), func(o *settings) { o.Platforms = []string{"linux/amd64", "linux/arm64"} })
	released, err := build.Release(t.Context(), o.release())
	ok(t, err)
	image, repository := released.Images[0], host+"/acme/hello"

	rebuilder := newKey(t)
	want := build.RebuildOptions{VerifyOptions: build.VerifyOptions{Keys: []string{publicOf(key)}}, Mirror: repo, Attest: true}
	mine := stranger(t, func(o *settings) { o.Config.Release.Key = rebuilder })
	r, err := build.Rebuild(t.Context(), rebuilding(mine.Options, want), repository+":v1.2.3", self(t))
	ok(t, err)
	if !r.Same || len(r.Compared) != 3 || len(r.Differences)+len(r.Causes)+len(r.Notes) > 0 || r.Attested != 3 || !strings.Contains(r.Provenance, "key") {
		t.Errorf("%+v %+v", r, r.Comparison)
	}
	for _, d := range []string{image.Digest, image.Platforms[1].Digest} {
		if got := summary(t, repository+"@"+d, publicOf(rebuilder)); got != "PASSED REPRODUCED" {
			t.Errorf("a stock client finds %q about %s", got, d)
		}
	}
	r, err = build.Rebuild(t.Context(), rebuilding(mine.Options, want), repository+":v1.2.3", self(t))
	ok(t, err)
	if r.Attested != 0 {
		t.Errorf("the second run makes %d attestations again", r.Attested)
	}
	// What somebody else says of the image changes nothing for its publisher.
	if _, err := build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(key)}}), repository+":v1.2.3"); err != nil {
		t.Error(err)
	}
	if _, err := build.Release(t.Context(), o.release()); err != nil {
		t.Error(err)
	}

	want.Attest = false
	r, err = build.Rebuild(t.Context(), rebuilding(stranger(t).Options, want), repository+"@"+image.Platforms[1].Digest, self(t))
	ok(t, err)
	if !r.Same || len(r.Compared) != 1 || r.Compared[0].Platform != "linux/arm64" {
		t.Errorf("one platform: %+v", r.Comparison)
	}
	r, err = build.Rebuild(t.Context(), rebuilding(stranger(t).Options, want), "oci:"+filepath.Join(released.Dist, image.Layout), self(t))
	refused(t, err, "it has no provenance") // what was released to a registry is signed there
	if r != nil {
		t.Errorf("%+v", r)
	}

	// A source whose tag is gone gives another version, and no attestation of success.
	git(t, repo, "tag", "-d", "v1.2.3")
	want.Attest = true
	r, err = build.Rebuild(t.Context(), rebuilding(mine.Options, want), repository+":v1.2.3", self(t))
	if !errors.Is(err, build.ErrDiffers) {
		t.Fatalf("without the tag: %v", err)
	}
	causes(t, r.Comparison, "VCS state", "the version is v1.2.3 / v0.0.0-")
	if got := summary(t, repository+"@"+image.Digest, publicOf(rebuilder)); !strings.Contains(got, "FAILED FAILED") {
		t.Errorf("a stock client finds %q", got)
	}
}

// summary is what stock cosign finds in the verified summaries about an image.
func summary(t testing.TB, ref, key string) string {
	t.Helper()
	home := t.TempDir()
	cmd := testtool.Command(t, sigstoretest.Cosigns[1].Build(t), "verify-attestation", "--key", key,
		"--type", "https://slsa.dev/verification_summary/v1", "--insecure-ignore-tlog", "--allow-http-registry", ref)
	cmd.Env = []string{"HOME=" + home, "DOCKER_CONFIG=" + home, "PATH=" + os.Getenv("PATH"), "TUF_ROOT=" + filepath.Join(home, "tuf")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cosign: %v\n%s", err, err.(*exec.ExitError).Stderr)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		var envelope struct{ Payload string }
		ok(t, json.Unmarshal([]byte(line), &envelope))
		var s struct {
			PredicateType string
			Predicate     struct {
				VerificationResult string
				VerifiedLevels     []string
				InputAttestations  []any
			}
		}
		ok(t, json.Unmarshal(must(base64.StdEncoding.DecodeString(envelope.Payload)), &s))
		if s.PredicateType != attest.SummaryType || len(s.Predicate.InputAttestations) == 0 {
			t.Errorf("cosign finds %+v", s)
		}
		found = append(found, s.Predicate.VerificationResult+" "+strings.Join(s.Predicate.VerifiedLevels, " "))
	}
	return strings.Join(found, ", ")
}

// Everything that a Config can ask for comes back from provenance: a service below the
// repository's root, another toolchain, flags, tags, assets, users, an epoch.
func TestRebuildFromPlan(t *testing.T) {
	testtool.OnRequest(t, "minutes: it builds again in clean rooms")
	repo := service(t, map[string]string{
		"README.md":              "the root is no module\n",
		"team/svc/go.mod":        "module example.com/service\n\ngo 1.26\n",
		"team/svc/cmd/a/main.go": "package main\n\nimport \"os\"\n\nvar date string\n\nfunc main() { println(date, os.TempDir()) }\n",
		"team/svc/cmd/a/x.go":    "//go:build extra\n\npackage main\n\nfunc init() { println(\"extra\") }\n",
		"team/svc/conf/a.conf":   "a = 1\n",
		"team/svc/LICENSE":       "not a licence\n",
	})
	git(t, repo, "tag", "team/svc/v2.0.0") // no version of this module
	o := options(t, filepath.Join(repo, "team"), func(o *settings) {
		o.Platforms = []string{"linux/amd64/v3"}
		o.Env = append(o.Env, "GOTOOLCHAIN=go1.27.1", "SOURCE_DATE_EPOCH=1234567890", "GOEXPERIMENT=nogreenteagc")
		o.AllowUntagged = true
		o.Config = build.Config{
			Dir: "svc", Compression: "zstd", BuildTags: []string{"extra"}, LDFlags: []string{"-X", "main.date=yesterday or so"}, Source: "https://git.example.com/other",
			Images: []build.ImageConfig{{Package: "./cmd/a", Name: "renamed", Title: "A service", Licenses: "MIT"}},
			Defaults: build.ImageConfig{
				Assets: []build.Asset{{Source: "conf", Target: "/etc/conf", Mode: 0o640, UID: 7}}, Include: []string{"zoneinfo"}, Exclude: []string{"tmp"},
				Runtime: build.Runtime{Args: []string{"serve"}, Ports: []string{"80"}, Labels: map[string]string{"a": "b"}, Healthcheck: &build.Healthcheck{Command: []string{"check"}, Interval: 30e9}},
			},
		}
	})
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	if r.Plan.Workdir != "team" || r.Plan.Toolchain.Version != "go1.27.1" {
		t.Fatalf("%+v", r.Plan)
	}
	want := build.RebuildOptions{VerifyOptions: build.VerifyOptions{Keys: []string{filepath.Join(r.Dist, "verify", "cosign.pub")}}, Mirror: "file://" + repo}
	found, err := build.Rebuild(t.Context(), rebuilding(stranger(t).Options, want), "oci:"+filepath.Join(r.Dist, r.Images[0].Layout), self(t))
	if err != nil || !found.Same || found.Toolchain != "go1.27.1" || len(found.Notes) > 0 {
		t.Fatalf("%v: %+v", err, found)
	}
}

// A flag of which nobody here knows what it does: release says that a rebuild refuses it,
// and a rebuild takes it where it is allowed.
func TestRebuildLinkerFlags(t *testing.T) {
	testtool.OnRequest(t, "minutes: it builds again in clean rooms")
	repo := module(t, "hello")
	said := &notices{}
	r, err := build.Release(t.Context(), options(t, repo, func(o *settings) {
		o.Platforms, o.Progress = []string{"linux/amd64"}, said
		o.Config.LDFlags = []string{"-X=main.version={{.Version}}", "-X", `main.title={{"{{.Tag}}"}}`, "-funcalign=64"}
	}).release())
	ok(t, err)
	if len(said.with(`reproduce -from) needs -allowLinkerFlag: linker flag "-funcalign=64"`)) != 1 {
		t.Errorf("release says %q", said.all)
	}
	if got := r.Plan.Build.LDFlags; !slices.Equal(got, []string{"-s", "-w", "-X=main.version=1.2.3", "-X", "main.title={{.Tag}}", "-funcalign=64"}) {
		t.Errorf("the plan has %q", got)
	}
	want := build.RebuildOptions{VerifyOptions: build.VerifyOptions{Keys: []string{filepath.Join(r.Dist, "verify", "cosign.pub")}}, Mirror: repo}
	ref := "oci:" + filepath.Join(r.Dist, r.Images[0].Layout)
	_, err = build.Rebuild(t.Context(), rebuilding(stranger(t).Options, want), ref, self(t))
	refused(t, err, "-allowLinkerFlag='-funcalign=64' allows it")
	want.AllowLinkerFlags = []string{"-funcalign"}
	found, err := build.Rebuild(t.Context(), rebuilding(stranger(t).Options, want), ref, self(t))
	if err != nil || !found.Same {
		t.Fatalf("%v: %+v", err, found)
	}
}

// release1 releases hello for one platform.
func release1(t testing.TB, host, key string) (repo string, r *build.Result) {
	t.Helper()
	repo = module(t, "hello")
	r, err := build.Release(t.Context(), options(t, repo, to(host, key)).release())
	ok(t, err)
	return repo, r
}

// attested puts a signed statement beside an index in a repository of its own, which has
// nothing else.
func attested(t testing.TB, repository, dist string, r *build.Result, key string, statements ...attest.Statement) string {
	t.Helper()
	digest := must(v1.NewHash(r.Images[0].Digest))
	index := must(must(layout.ImageIndexFromPath(filepath.Join(dist, r.Images[0].Layout))).ImageIndex(digest))
	ok(t, remote.WriteIndex(must(name.NewTag(repository+":v1", name.Insecure)), index))
	if key == "" {
		return repository + ":v1"
	}
	k, err := attest.OpenKey(t.Context(), key, attest.KeyOptions{Password: func() ([]byte, error) { return []byte(password), nil }})
	ok(t, err)
	signer, err := attest.NewSigner(k, attest.Services{})
	ok(t, err)
	repo, err := registry.Open(t.Context(), repository, distribution.Options{})
	ok(t, err)
	defer repo.Close()
	manifest := must(index.IndexManifest())
	subjects := []attest.Subject{{Name: repository, Statements: statements, Descriptor: v1.Descriptor{
		MediaType: must(index.MediaType()), Digest: digest, Size: must(index.Size()),
	}}}
	for _, d := range manifest.Manifests {
		subjects = append(subjects, attest.Subject{Name: repository, Statements: statements, Descriptor: d})
	}
	signed, err := attest.Sign(t.Context(), signer, subjects, attest.Options{Forms: []attest.Form{attest.Bundles}})
	ok(t, err)
	var all []registry.Artifact
	for _, s := range signed {
		for _, b := range s.Bundles {
			all = append(all, registry.Artifact{Image: b})
		}
	}
	ok(t, repo.Attach(t.Context(), all))
	return repository + ":v1"
}

// unsigned attaches a copy of a release's provenance to the same index in a repository of
// its own, without the signature.
func unsigned(t testing.TB, from, repository string, r *build.Result) string {
	t.Helper()
	ref := attested(t, repository, r.Dist, r, "")
	digest := must(name.NewDigest(from+"@"+r.Images[0].Digest, name.Insecure))
	for _, d := range must(must(remote.Referrers(digest)).IndexManifest()).Manifests {
		referrer := must(remote.Image(digest.Context().Digest(d.Digest.String())))
		m := must(referrer.Manifest())
		if m.Annotations["dev.sigstore.bundle.predicateType"] != attest.ProvenanceType {
			continue
		}
		var bundle map[string]any
		ok(t, json.NewDecoder(must(must(referrer.Layers())[0].Compressed())).Decode(&bundle))
		bundle["dsseEnvelope"].(map[string]any)["signatures"] = []any{}
		layer := static.NewLayer(must(json.Marshal(bundle)), m.Layers[0].MediaType)
		m.Layers[0].Digest, m.Layers[0].Size = must(layer.Digest()), must(layer.Size())
		to := must(name.NewRepository(repository, name.Insecure))
		ok(t, remote.WriteLayer(to, layer))
		ok(t, remote.WriteLayer(to, static.NewLayer([]byte("{}"), m.Config.MediaType)))
		changed := manifestOnly{must(json.Marshal(m)), m.MediaType}
		sum, _, err := v1.SHA256(bytes.NewReader(changed.raw))
		ok(t, err)
		ok(t, remote.Put(to.Digest(sum.String()), changed))
		return ref
	}
	t.Fatal("the release has no provenance")
	return ""
}

// manifestOnly is pushed without looking into it.
type manifestOnly struct {
	raw       []byte
	mediaType types.MediaType
}

func (m manifestOnly) RawManifest() ([]byte, error)        { return m.raw, nil }
func (m manifestOnly) MediaType() (types.MediaType, error) { return m.mediaType, nil }

// What an image can lack, and the way out.
func TestRebuildRefuses(t *testing.T) {
	testtool.OnRequest(t, "minutes: it builds again in clean rooms")
	host, key := registrytest.InProcess(t, true), newKey(t)
	repo, r := release1(t, host, key)
	trust := build.VerifyOptions{Keys: []string{publicOf(key)}}
	// The provenance of the release, changed.
	provenance := func(t testing.TB, change func(definition, plan map[string]any)) attest.Statement {
		t.Helper()
		repository, err := registry.Open(t.Context(), host+"/acme/hello", distribution.Options{})
		ok(t, err)
		defer repository.Close()
		digest := must(v1.NewHash(r.Images[0].Digest))
		stored := attest.Stored{}
		for _, d := range must(repository.Referrers(t.Context(), digest)) {
			stored.Bundles = append(stored.Bundles, must(repository.Image(t.Context(), d.Digest)))
		}
		public, err := attest.ParsePublicKey(must(os.ReadFile(publicOf(key))))
		ok(t, err)
		all, _, err := stored.Attested(t.Context(), digest, attest.Trust{Keys: []*attest.PublicKey{public}}, attest.ProvenanceType)
		ok(t, err)
		var p map[string]any
		ok(t, json.Unmarshal(all[0].Predicate, &p))
		definition := p["buildDefinition"].(map[string]any)
		change(definition, definition["internalParameters"].(map[string]any)["plan"].(map[string]any))
		return attest.Statement{PredicateType: attest.ProvenanceType, Predicate: must(json.Marshal(p))}
	}
	for _, test := range []struct {
		name   string
		ref    func(t testing.TB) string
		want   build.RebuildOptions
		change func(*settings)
		words  []string
	}{
		{
			name: "no provenance", ref: func(t testing.TB) string { return attested(t, host+"/bare/hello", r.Dist, r, "") },
			want: build.RebuildOptions{VerifyOptions: trust}, words: []string{"it has no provenance", `"mage release" attaches it`},
		},
		{
			name: "signed by somebody else", ref: func(testing.TB) string { return host + "/acme/hello:v1.2.3" },
			want:  build.RebuildOptions{VerifyOptions: build.VerifyOptions{Keys: []string{publicOf(newKey(t))}}},
			words: []string{"its provenance is not signed by the expected signer", "it does not verify with the expected key", "-key"},
		},
		{
			name: "not signed at all", ref: func(t testing.TB) string { return unsigned(t, host+"/acme/hello", host+"/unsigned/hello", r) },
			want:  build.RebuildOptions{VerifyOptions: trust},
			words: []string{"its provenance is not signed by the expected signer", "-key"},
		},
		{
			name: "nobody expected", ref: func(testing.TB) string { return host + "/acme/hello:v1.2.3" },
			words: []string{"whose signature is expected? give a public key with -key=cosign.pub"},
		},
		{
			name: "an unknown build type", ref: func(t testing.TB) string {
				return attested(t, host+"/type/hello", r.Dist, r, key, provenance(t, func(d, _ map[string]any) { d["buildType"] = "https://example.com/make" }))
			},
			want: build.RebuildOptions{VerifyOptions: trust}, words: []string{`unknown build type "https://example.com/make"`, "build it again with the tool that made it"},
		},
		{
			name: "a source that cannot be had", ref: func(testing.TB) string { return host + "/acme/hello:v1.2.3" },
			want:  build.RebuildOptions{VerifyOptions: trust, Mirror: filepath.Join(repo, "nowhere")},
			words: []string{"clone ", "nowhere", "does not exist", "give another copy of the source with -mirror"},
		},
		{
			name: "a commit that the source lacks", ref: func(testing.TB) string { return host + "/acme/hello:v1.2.3" },
			want:  build.RebuildOptions{VerifyOptions: trust, Mirror: module(t, "tzdata")},
			words: []string{"there is no such commit", "-mirror"},
		},
		{
			name: "no source", ref: func(t testing.TB) string {
				return attested(t, host+"/source/hello", r.Dist, r, key, provenance(t, func(d, _ map[string]any) {
					source := d["resolvedDependencies"].([]any)[0].(map[string]any)
					delete(source, "uri")
				}))
			},
			want: build.RebuildOptions{VerifyOptions: trust}, words: []string{"but no repository; give one that has it with -mirror"},
		},
		{
			name: "a source that runs a program", ref: func(t testing.TB) string {
				return attested(t, host+"/ext/hello", r.Dist, r, key, provenance(t, func(d, _ map[string]any) {
					d["resolvedDependencies"].([]any)[0].(map[string]any)["uri"] = "ext::sh -c date"
				}))
			},
			want: build.RebuildOptions{VerifyOptions: trust}, words: []string{`"ext::sh -c date"`, "provenance may contain only https, http and ssh URLs", "-mirror"},
		},
		{
			name: "a linker flag that runs a program", ref: func(t testing.TB) string {
				return attested(t, host+"/flag/hello", r.Dist, r, key, provenance(t, func(_, p map[string]any) {
					p["build"].(map[string]any)["ldflags"] = []any{"-s", "-w", "-extld=/bin/sh"}
				}))
			},
			want: build.RebuildOptions{VerifyOptions: trust, Mirror: repo}, words: []string{`linker flag "-extld=/bin/sh"`, "may start a program here", "-allowLinkerFlag='-extld=/bin/sh'"},
		},
		{
			name: "a template in a linker flag", ref: func(t testing.TB) string {
				return attested(t, host+"/a-template-in-a-linker-flag/hello", r.Dist, r, key, provenance(t, func(_, p map[string]any) {
					p["build"].(map[string]any)["ldflags"] = []any{"-s", "-w", `{{""}}-o=/tmp/x`}
				}))
			},
			want: build.RebuildOptions{VerifyOptions: trust, Mirror: repo}, words: []string{`{{\"\"}}-o=/tmp/x`, "it is not a flag"},
		},
		{
			name: "a response file", ref: func(t testing.TB) string {
				return attested(t, host+"/a-response-file/hello", r.Dist, r, key, provenance(t, func(_, p map[string]any) {
					p["build"].(map[string]any)["ldflags"] = []any{"-s", "-w", "-X", "@/tmp/flags"}
				}))
			},
			want: build.RebuildOptions{VerifyOptions: trust, Mirror: repo, AllowLinkerFlags: []string{"@/tmp/flags"}}, words: []string{`"@/tmp/flags"`, "read more flags from that file"},
		},
		{
			name: "a toolchain that is a path", ref: func(t testing.TB) string {
				return attested(t, host+"/path/hello", r.Dist, r, key, provenance(t, func(_, p map[string]any) {
					p["toolchain"].(map[string]any)["version"] = "go1.26.8-/../evil"
				}))
			},
			want: build.RebuildOptions{VerifyOptions: trust, Mirror: repo}, words: []string{`"go1.26.8-/../evil"`, "never released"},
		},
		{
			name: "a folder elsewhere", ref: func(t testing.TB) string {
				return attested(t, host+"/folder/hello", r.Dist, r, key, provenance(t, func(_, p map[string]any) { p["workdir"] = "../.." }))
			},
			want: build.RebuildOptions{VerifyOptions: trust, Mirror: repo}, words: []string{`"../.."`, "not below the repository's root"},
		},
		{
			name: "a toolchain that was never released", ref: func(t testing.TB) string {
				return attested(t, host+"/devel/hello", r.Dist, r, key, provenance(t, func(_, p map[string]any) {
					p["toolchain"].(map[string]any)["version"] = "devel"
				}))
			},
			want: build.RebuildOptions{VerifyOptions: trust, Mirror: repo}, words: []string{`the toolchain "devel"`, "cannot be downloaded"},
		},
		{
			name: "a toolchain that cannot be had", ref: func(t testing.TB) string {
				return attested(t, host+"/toolchain/hello", r.Dist, r, key, provenance(t, func(_, p map[string]any) {
					p["toolchain"].(map[string]any)["version"] = "go1.99.0"
				}))
			},
			want:   build.RebuildOptions{VerifyOptions: trust, Mirror: repo},
			change: func(o *settings) { o.Env = append(o.Env, "GOPROXY=off") },
			words:  []string{"go1.99.0", "GOPROXY"},
		},
		{
			name: "an attestation of a layout", ref: func(testing.TB) string { return "oci:" + filepath.Join(r.Dist, r.Images[0].Layout) },
			want: build.RebuildOptions{VerifyOptions: trust, Attest: true}, words: []string{"this is a layout; omit -attest"},
		},
		{
			name: "an attestation without a key", ref: func(testing.TB) string { return host + "/acme/hello:v1.2.3" },
			want: build.RebuildOptions{VerifyOptions: trust, Attest: true}, words: []string{"there is no key and no identity"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := stranger(t)
			if test.change != nil {
				test.change(&o)
			}
			_, err := build.Rebuild(t.Context(), rebuilding(o.Options, test.want), test.ref(t), self(t))
			refused(t, err, test.words...)
		})
	}

	// Another thimble than the one that made it says so.
	ref := attested(t, host+"/kit/hello", r.Dist, r, key, provenance(t, func(_, p map[string]any) {
		p["kit"].(map[string]any)["version"] = "v0.1.0"
	}))
	c, err := build.Rebuild(t.Context(), rebuilding(stranger(t).Options, build.RebuildOptions{VerifyOptions: trust, Mirror: repo}), ref, self(t))
	ok(t, err) // its digests are the same all the same
	if len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "made by thimble v0.1.0, but this is (devel): run go get github.com/thimble-build/thimble@v0.1.0") {
		t.Errorf("notes: %q", c.Notes)
	}
}
