package describe

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// service is what the SBOMs of a service are made of, as far as predicates use it.
func service() sbom.Input {
	file := func(path string) tree.File {
		sum := sha256.Sum256([]byte(path))
		return tree.File{Path: path, SHA256: hex.EncodeToString(sum[:])}
	}
	return sbom.Input{
		Plan: &plan.Plan{
			Kit:     plan.Kit{Path: "github.com/thimble-build/thimble", Version: "v0.1.0"},
			Module:  plan.Module{Path: "example.com/acme/api", Dir: "."},
			Version: "1.2.3", ModuleVersion: "v0.0.0-20260102030405-0123456789ab",
			Revision:        "0123456789abcdef0123456789abcdef01234567",
			SourceDateEpoch: 1767323045, Source: "https://github.com/acme/api",
			Toolchain: plan.Toolchain{Version: "go1.26.8"},
		},
		Image: plan.Image{
			Name: "api", Package: "example.com/acme/api/cmd/api", Repository: "registry.example.com/acme/api",
			Tags: []string{"v1.2.3"}, Title: "The API", Base: "scratch",
		},
		Platform: plan.Platform{OS: "linux", Architecture: "arm", Variant: "v7"},
		Main:     sbom.Module{Path: "example.com/acme/api", Version: "v0.0.0-20260102030405-0123456789ab"},
		Modules: []sbom.Module{
			{Path: "github.com/BurntSushi/toml", Version: "v1.4.0", Sum: "h1:toml="},
			{
				Path: "example.com/upstream/lib", Version: "v1.0.0",
				Replace: &sbom.Module{
					Path: "github.com/fork/lib/sub", Version: "v1.0.1-0.20260101000000-abcdefabcdef", Sum: "h1:fork=",
				},
			},
			{Path: "example.com/local", Version: "v0.0.0", Replace: &sbom.Module{Path: "./local", Version: "(devel)"}},
			{Path: "lonely", Version: "(devel)"},
		},
		Std: sbom.Module{Path: "std", Version: "go1.26.8"},
		Components: []tree.Component{
			{
				Name: "mozilla-ca-certificates", Version: "20260101", PURL: "pkg:generic/mozilla-ca-certificates@20260101",
				DownloadLocation: "https://example.com/roots.txt",
				Files:            []tree.File{file("/etc/ssl/certs/ca-certificates.crt")},
			},
			{
				Name: "tzdata", Version: "2026a", PURL: "pkg:generic/tzdata@2026a",
				DownloadLocation: "https://example.com/tzdata.tar.gz",
				Files:            []tree.File{file("/usr/share/zoneinfo/UTC"), file("/usr/share/zoneinfo/Europe/Berlin")},
			},
		},
	}
}

// sumOf is a valid go.sum hash, and dirHashOf the same as attestations have it.
func sumOf(b byte) string {
	return "h1:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
}
func dirHashOf(b byte) string { return strings.Repeat(string("0123456789abcdef"[b]), 64) }

// released is a release of service for two platforms, with everything set.
func released() ProvenanceInput {
	arm, amd := service(), service()
	amd.Platform = plan.Platform{OS: "linux", Architecture: "amd64"}
	for _, in := range []*sbom.Input{&arm, &amd} {
		in.Modules[0].Sum = sumOf(0x11)
		in.Modules[1].Replace.Sum = sumOf(0x22)
	}
	amd.Modules = append(amd.Modules, sbom.Module{Path: "golang.org/x/sys", Version: "v0.49.0", Sum: sumOf(0x33)})
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
		Plan:      p, Images: []sbom.Input{arm, amd},
		Toolchain: sbom.Module{Path: "golang.org/toolchain", Version: "v0.0.1-go1.26.8.linux-amd64", Sum: sumOf(0x44)},
		Builder:   Builder{ID: "https://ci.example.com/acme", InvocationID: "https://ci.example.com/acme/1"},
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

func shuffle[T any](r *rand.Rand, s []T) {
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}
