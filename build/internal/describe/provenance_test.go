package describe

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/mod/sumdb/dirhash"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// sumOf is a valid go.sum hash, and dirHashOf the same as attestations have it.
func sumOf(b byte) string {
	return "h1:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
}
func dirHashOf(b byte) string { return strings.Repeat(string("0123456789abcdef"[b]), 64) }

// released is a release of small for two platforms, with everything set.
func released() ProvenanceInput {
	arm, amd := small(), small()
	amd.Platform = plan.Platform{OS: "linux", Architecture: "amd64"}
	for _, in := range []*Input{&arm, &amd} {
		in.Modules[0].Sum = sumOf(0x11)
		in.Modules[1].Replace.Sum = sumOf(0x22)
	}
	amd.Modules = append(amd.Modules, Module{Path: "golang.org/x/sys", Version: "v0.49.0", Sum: sumOf(0x33)})
	p := arm.Plan
	p.Toolchain.Mod = "readonly"
	p.Compression = plan.Gzip
	p.Build = plan.Build{LDFlags: []string{"-s", "-w", "-X", "main.channel=stable"}, Stamp: true, VCSTime: "2026-01-02T03:04:05Z"}
	p.Platforms = []plan.Platform{amd.Platform, arm.Platform}
	p.Images = []plan.Image{arm.Image}
	return ProvenanceInput{
		Config: plan.Config{
			Platforms: []string{"linux/arm/v7", "linux/amd64"}, Repository: "registry.example.com/acme",
			LDFlags: []string{"-X", "main.channel=stable"}, Before: [][]string{{"go", "generate", "./..."}},
			Defaults: plan.ImageConfig{Include: []string{"tmp"}},
			Images:   []plan.ImageConfig{{Package: "./cmd/api", Title: "The API", Runtime: plan.Runtime{Ports: []string{"8080"}}}},
			Test:     plan.TestConfig{Race: true},
		},
		Overrides: Overrides{UntaggedCommit: true},
		Plan:      p, Images: []Input{arm, amd},
		Toolchain: Module{Path: "golang.org/toolchain", Version: "v0.0.1-go1.26.8.linux-amd64", Sum: sumOf(0x44)},
		Builder:   BuilderInfo{ID: "https://ci.example.com/acme", InvocationID: "https://ci.example.com/acme/1"},
		Started:   time.Date(2026, 1, 2, 5, 0, 0, 999, time.FixedZone("", 3600)),
		Finished:  time.Date(2026, 1, 2, 4, 1, 0, 0, time.UTC),
	}
}

func provenance(t *testing.T, in ProvenanceInput) []byte {
	t.Helper()
	b, err := Provenance(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// at follows keys and positions through a JSON document.
func at(t *testing.T, document []byte, path ...any) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		t.Fatal(err)
	}
	for _, step := range path {
		switch step := step.(type) {
		case string:
			v = v.(map[string]any)[step]
		case int:
			v = v.([]any)[step]
		}
	}
	return v
}

// text is a value as canonical JSON.
func text(t *testing.T, v any) string {
	t.Helper()
	b, err := canonicalValue(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestProvenanceFields(t *testing.T) {
	b := provenance(t, released())
	for _, tt := range []struct {
		path []any
		want string
	}{
		{[]any{"buildDefinition", "buildType"}, `"` + BuildType + `"`},
		{
			[]any{"buildDefinition", "externalParameters"},
			`{"before":["go"],"defaults":{"include":["tmp"],"runtime":{}},"dir":".",` +
				`"images":[{"package":"./cmd/api","runtime":{"ports":["8080"]},"title":"The API"}],"ldflags":["-X","main.channel=stable"],` +
				`"overrides":{"dirtyTree":false,"failingTests":false,"skippedTests":false,"untaggedCommit":true},` +
				`"platforms":["linux/amd64","linux/arm/v7"],"repository":"registry.example.com/acme","source":"https://github.com/acme/api","test":{"race":true}}`,
		},
		{[]any{"buildDefinition", "internalParameters", "image"}, `"api"`},
		{[]any{"buildDefinition", "internalParameters", "platforms"}, `["linux/amd64","linux/arm/v7"]`},
		{[]any{"buildDefinition", "internalParameters", "plan", "sourceDateEpoch"}, `1767323045`},
		{
			[]any{"buildDefinition", "resolvedDependencies", 0},
			`{"digest":{"gitCommit":"0123456789abcdef0123456789abcdef01234567"},"name":"source","uri":"git+https://github.com/acme/api@0123456789abcdef0123456789abcdef01234567"}`,
		},
		{
			[]any{"buildDefinition", "resolvedDependencies", 1},
			`{"digest":{"dirHash":"` + dirHashOf(4) + `"},"name":"toolchain","uri":"pkg:golang/golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64"}`,
		},
		{
			[]any{"runDetails"},
			`{"builder":{"id":"https://ci.example.com/acme","version":{"github.com/thimble-build/thimble":"v0.1.0"}},` +
				`"metadata":{"finishedOn":"2026-01-02T04:01:00Z","invocationId":"https://ci.example.com/acme/1","startedOn":"2026-01-02T04:00:00Z"}}`,
		},
	} {
		if got := text(t, at(t, b, tt.path...)); got != tt.want {
			t.Errorf("%v:\n got %s\nwant %s", tt.path, got, tt.want)
		}
	}
	// The plan is there unchanged, so that it can be built again.
	var again plan.Plan
	if err := json.Unmarshal([]byte(text(t, at(t, b, "buildDefinition", "internalParameters", "plan"))), &again); err != nil {
		t.Fatal(err)
	}
	want, err := released().Plan.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.JSON(); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the plan is\n%s\nwant\n%s\n%v", got, want, err)
	}
	// The library reads what it says, and finds it valid.
	var p slsa.Provenance
	if err := protojson.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
}

func TestProvenanceDependencies(t *testing.T) {
	b := provenance(t, released())
	found := map[string]string{}
	var order []string
	for _, d := range at(t, b, "buildDefinition", "resolvedDependencies").([]any) {
		name := d.(map[string]any)["name"].(string)
		if found[name] != "" {
			t.Errorf("%s is there twice", name)
		}
		found[name], order = text(t, d), append(order, name)
	}
	if !slices.Equal(order, []string{
		"source", "toolchain", "example.com/local", "github.com/BurntSushi/toml", "github.com/fork/lib/sub",
		"golang.org/x/sys", "lonely", "mozilla-ca-certificates", "std", "tzdata",
	}) {
		t.Errorf("dependencies are %q", order)
	}
	for name, want := range map[string]string{
		"github.com/BurntSushi/toml": `{"digest":{"dirHash":"` + dirHashOf(1) + `"},"name":"github.com/BurntSushi/toml","uri":"pkg:golang/github.com/burntsushi/toml@v1.4.0"}`,
		"github.com/fork/lib/sub": `{"annotations":{"replaces":"example.com/upstream/lib@v1.0.0"},"digest":{"dirHash":"` + dirHashOf(2) +
			`"},"name":"github.com/fork/lib/sub","uri":"pkg:golang/github.com/fork/lib/sub@v1.0.1-0.20260101000000-abcdefabcdef"}`,
		"example.com/local": `{"annotations":{"replaces":"example.com/local@v0.0.0"},"name":"example.com/local","uri":"pkg:golang/example.com/local"}`,
		"golang.org/x/sys":  `{"digest":{"dirHash":"` + dirHashOf(3) + `"},"name":"golang.org/x/sys","uri":"pkg:golang/golang.org/x/sys@v0.49.0"}`,
		"std":               `{"name":"std","uri":"pkg:golang/std@1.26.8"}`,
	} {
		if found[name] != want {
			t.Errorf("got  %s\nwant %s", found[name], want)
		}
	}

	in := released()
	in.Toolchain = Module{}
	if got := text(t, at(t, provenance(t, in), "buildDefinition", "resolvedDependencies", 1)); got != `{"name":"toolchain","uri":"pkg:golang/toolchain@go1.26.8"}` {
		t.Errorf("a toolchain without a sum is %s", got)
	}
}

// TestFilesHash compares with the hash that anybody can compute of the files.
func TestFilesHash(t *testing.T) {
	root := t.TempDir()
	tz := small().Components[1]
	var names []string
	for _, f := range tz.Files {
		names = append(names, strings.TrimPrefix(f.Path, "/"))
	}
	fsys := os.DirFS(root)
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(root, filepath.FromSlash(path.Dir(name))), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), []byte("/"+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := dirhash.Hash1(names, func(name string) (io.ReadCloser, error) { return fsys.Open(name) })
	if err != nil {
		t.Fatal(err)
	}
	d, err := componentDescriptor(tz)
	if err != nil {
		t.Fatal(err)
	}
	if hash, err := dirHash(want); err != nil || d.Digest["dirHash"] != hash["dirHash"] {
		t.Errorf("the component's hash is %v, want %v, %v", d.Digest, hash, err)
	}
}

func TestProvenanceSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../../docs/provenance.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	bare := released()
	bare.Plan.Source, bare.Plan.Revision, bare.Plan.Dirty = "", "", true
	bare.Config, bare.Builder, bare.Started, bare.Finished = plan.Config{}, Builder(func(string) string { return "" }), time.Time{}, time.Time{}
	full := released()
	fill(&full.Config.Images[0])
	full.Plan.Images[0].Runtime = full.Config.Images[0].Runtime
	full.Plan.Images[0].Assets = full.Config.Images[0].Assets
	full.Plan.Images[0].Users, full.Plan.Images[0].Capabilities = full.Config.Images[0].Users, full.Config.Images[0].Capabilities
	full.Plan.Images[0].Packages = full.Config.Images[0].Packages
	full.Plan.Images[0].Cgo = true
	full.Plan.Toolchain.C = []plan.CCompiler{{Platform: full.Images[0].Platform, Command: "gcc -O1", Target: "arm-linux-gnueabihf", Version: "gcc 14"}}
	full.Images[0].Libraries = []Library{{Name: "libx.so.1", Path: "/usr/lib/libx.so.1", Component: "netbase"}}
	full.Config.Debian.Suite = "trixie"
	full.Plan.Lock = locked()
	full.Images[0].Components = append(full.Images[0].Components,
		tree.Component{Name: "netbase", Version: "6.5", PURL: "pkg:deb/debian/netbase@6.5?arch=all&distro=debian-13", SHA256: strings.Repeat("ab", 32), Source: "netbase 6.5"})
	full.Config.Release.ArchivePlatforms = []string{"windows/amd64"}
	full.Plan.ArchivePlatforms = []plan.Platform{{OS: "windows", Architecture: "amd64"}}
	sha256 := released()
	sha256.Plan.Revision = strings.Repeat("ab", 32)
	for name, in := range map[string]ProvenanceInput{"released": released(), "bare": bare, "full": full, "SHA-256": sha256} {
		b := provenance(t, in)
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wrong := bytes.Replace(b, []byte(`"overrides":{`), []byte(`"overrides":{"token":"x",`), 1)
		if doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(wrong)); err != nil {
			t.Fatal(err)
		}
		if schema.Validate(doc) == nil {
			t.Errorf("%s: the schema lets an unknown parameter through", name)
		}
	}
}

// locked is a lock with something in every field.
func locked() *plan.Lock {
	hash := strings.Repeat("ab", 32)
	return &plan.Lock{
		Version: 1,
		Debian: []plan.DebianLock{{
			Suite:      "trixie",
			Indexes:    []plan.DebianIndex{{Archive: "debian", Suite: "trixie", Date: "2026-01-02T03:04:05Z", Snapshot: "20260102T030405Z"}},
			Selections: []plan.DebianSelection{{Base: plan.BaseDebian, With: []string{"netbase"}, Architecture: "armhf", Packages: []string{"netbase=6.5"}}},
			Packages: []plan.DebianPackage{{Name: "netbase", Version: "6.5", Architecture: "all", Source: "netbase", SourceVersion: "6.5",
				Maintainer: "A <a@example.com>", Archive: "debian", Path: "pool/main/n/netbase/netbase_6.5_all.deb", Size: 1, SHA256: hash}},
		}},
		Images: []plan.ImageLock{{
			Reference: "ghcr.io/acme/base:1", Digest: "sha256:" + hash, MediaType: "x",
			Platforms: []plan.ImagePlatformLock{{Platform: plan.Platform{OS: "linux", Architecture: "arm64"}, Digest: "sha256:" + hash, MediaType: "x", Size: 1,
				SBOMs: []plan.ImageSBOM{{Reference: "ghcr.io/acme/base@sha256:" + hash, Digest: "sha256:" + hash, MediaType: "x"}}}},
		}},
	}
}

func fill(c *plan.ImageConfig) {
	c.Base, c.Packages, c.Cgo = plan.BaseDebian, []string{"netbase"}, true
	c.Name, c.Licenses, c.OmitLicenseTexts = "api", "MIT", true
	c.Exclude, c.CACertificates = []string{"home"}, []string{"ca.pem"}
	c.Assets = []plan.Asset{{Source: "site", Target: "/srv", Mode: 0o640, UID: 1, GID: 2, Capabilities: []string{"cap_net_raw"}}}
	c.Users, c.Capabilities = []plan.User{{Name: "app", UID: 1000, GID: 1000, Home: "/srv", Shell: "/bin/sh"}}, []string{"cap_net_raw"}
	c.Runtime = plan.Runtime{
		User: "1:1", Args: []string{"-v"}, Env: []string{"A=b"}, Ports: []string{"80"}, WorkingDir: "/srv", StopSignal: "SIGINT",
		Labels:      map[string]string{"a": "b"},
		Healthcheck: &plan.Healthcheck{Command: []string{"-check"}, Interval: time.Hour, Timeout: time.Second, Start: time.Second, Retries: 3},
	}
}

func TestProvenanceDeterminism(t *testing.T) {
	want := provenance(t, released())
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		in := released()
		shuffle(random, in.Images)
		shuffle(random, in.Config.Platforms)
		for _, i := range in.Images {
			shuffle(random, i.Modules)
			shuffle(random, i.Components)
			for _, c := range i.Components {
				shuffle(random, c.Files)
			}
		}
		if got := provenance(t, in); !bytes.Equal(got, want) {
			t.Fatalf("another order gives\n%s\nand not\n%s", got, want)
		}
	}
	if again, err := canonical(want); err != nil || !bytes.Equal(again, want) {
		t.Errorf("it is not canonical: %v", err)
	}
}

// TestProvenanceSecrets plants secrets wherever a value of the user's could have one.
func TestProvenanceSecrets(t *testing.T) {
	const secret = "hunter2"
	for _, source := range []string{
		"https://" + secret + "@github.com/acme/api", "https://me:" + secret + "@github.com/acme/api.git",
		"https://github.com/acme/api?token=" + secret, "https://github.com/acme/api#" + secret,
		"ssh://git:" + secret + "@github.com/acme/api", "me:" + secret + "@github.com:acme/api", "/home/" + secret + "/api",
	} {
		in := released()
		in.Plan.Source, in.Config.Source = source, source
		in.Config.Dist = secret
		in.Config.Before = [][]string{{"/home/" + secret + "/bin/fetch", "-token", secret}}
		in.Config.Test = plan.TestConfig{Args: []string{"-token=" + secret}, CoverProfile: secret, JUnit: secret}
		for i := range in.Images {
			in.Images[i].Components = append(in.Images[i].Components, tree.Component{
				Name: "base", Version: "1", DownloadLocation: "https://me:" + secret + "@mirror.example.com/base?key=" + secret,
			})
			in.Images[i].Modules[2].Replace.Path = "/home/" + secret
		}
		in.Builder = Builder(func(name string) string {
			return map[string]string{
				"GITLAB_CI": "true", "CI_PROJECT_URL": "https://job:" + secret + "@gitlab.example.com/acme/api", "CI_RUNNER_ID": "7",
				"CI_JOB_URL": "https://gitlab.example.com/acme/api/-/jobs/9?private_token=" + secret,
			}[name]
		})
		b := provenance(t, in)
		result, err := TestResult(TestInput{Plan: in.Plan, Config: in.Config.Test, Passed: []string{"a"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range [][]byte{b, result} {
			if i := bytes.Index(doc, []byte(secret)); i >= 0 {
				t.Errorf("source %s: the secret is in …%s…", source, doc[max(0, i-60):min(len(doc), i+60)])
			}
		}
		if !bytes.Contains(b, []byte("https://gitlab.example.com/acme/api/-/runners/7")) || !bytes.Contains(b, []byte("https://mirror.example.com/base")) {
			t.Error("the URLs have gone with the secrets")
		}
		for _, f := range []func(Input) ([]byte, error){SPDX, CycloneDX} {
			i := small()
			i.Plan.Source = source
			if bytes.Contains(write(t, f, i), []byte(secret)) {
				t.Errorf("source %s: the secret is in an SBOM", source)
			}
		}
	}
}

func TestProvenanceRefused(t *testing.T) {
	for want, change := range map[string]func(*ProvenanceInput){
		"needs a plan":           func(in *ProvenanceInput) { in.Plan = nil },
		"needs a plan and an im": func(in *ProvenanceInput) { in.Images = nil },
		"builder.id required":    func(in *ProvenanceInput) { in.Builder.ID = "" },
		"not an h1 hash":         func(in *ProvenanceInput) { in.Images[1].Modules[0].Sum = "h1:short=" },
		"full hash of a commit":  func(in *ProvenanceInput) { in.Plan.Revision = "0123456" },
		"before its start":       func(in *ProvenanceInput) { in.Finished = in.Started.Add(-time.Second) },
		"are not one":            func(in *ProvenanceInput) { in.Images[1].Image.Name = "other" },
		"has no SHA-256":         func(in *ProvenanceInput) { in.Images[0].Components[0].Files[0].SHA256 = "" },
	} {
		in := released()
		change(&in)
		if _, err := Provenance(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want %q", err, want)
		}
	}
}
