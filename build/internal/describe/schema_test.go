package describe

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

func TestProvenanceSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../../docs/provenance.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	bare := released()
	bare.Plan.Source, bare.Plan.Revision, bare.Plan.Dirty = "", "", true
	bare.Config, bare.Builder, bare.Started, bare.Finished = plan.Config{}, DetectBuilder(func(string) string { return "" }), time.Time{}, time.Time{}
	full := released()
	fill(&full.Config.Images[0])
	full.Plan.Images[0].Runtime = full.Config.Images[0].Runtime
	full.Plan.Images[0].Assets = full.Config.Images[0].Assets
	full.Plan.Images[0].Users, full.Plan.Images[0].Capabilities = full.Config.Images[0].Users, full.Config.Images[0].Capabilities
	full.Plan.Images[0].Packages = full.Config.Images[0].Packages
	full.Plan.Images[0].Cgo = true
	full.Plan.Images[0].Programs = []plan.Program{{Package: "example.com/ctl/v2", Name: "ctl", Module: "example.com/ctl/v2"}}
	full.Plan.Images[0].BuildTags, full.Plan.Images[0].LDFlags = full.Config.Images[0].BuildTags, full.Config.Images[0].LDFlags
	full.Plan.Images[0].FIPS140, full.Plan.Images[0].Symlinks = full.Config.Images[0].FIPS140, full.Config.Images[0].Symlinks
	full.Plan.Profiles = []plan.Profile{{Name: "cmd/api/default.pgo", SHA256: strings.Repeat("ab", 32)}}
	full.Plan.Toolchain.C = []plan.CCompiler{{Platform: full.Images[0].Platform, Command: "gcc -O1", Target: "arm-linux-gnueabihf", Version: "gcc 14"}}
	full.Images[0].Libraries = []sbom.Library{{Name: "libx.so.1", Path: "/usr/lib/libx.so.1", Component: "netbase"}}
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
	c.Base, c.Packages, c.Cgo = plan.BaseDebian, []string{"netbase"}, plan.CgoOn
	c.Programs, c.Symlinks = []plan.Program{{Package: "./cmd/ctl", Name: "ctl"}}, []plan.Symlink{{Path: "/usr/bin/api", Target: "/app/api"}}
	c.BuildTags, c.LDFlags, c.FIPS140 = []string{"extra"}, []string{"-X=main.a=b"}, "v1.0.0"
	c.Name, c.Licenses, c.OmitLicenseTexts = "api", "MIT", true
	c.Exclude, c.CACertificates = []string{"home"}, []string{"ca.pem"}
	c.Assets = []plan.Asset{{Source: "site", Target: "/srv", Mode: 0o640, UID: 1, GID: 2, Capabilities: []string{"cap_net_raw"}}}
	c.Users, c.Capabilities = []plan.User{{Name: "app", UID: 1000, GID: 1000, Home: "/srv", Shell: "/bin/sh"}}, []string{"cap_net_raw"}
	c.Runtime = plan.Runtime{
		User: "1:1", Entrypoint: []string{"/usr/bin/api"}, Args: []string{"-v"}, Volumes: []string{"/data"}, Env: []string{"A=b"}, Ports: []string{"80"}, WorkingDir: "/srv", StopSignal: "SIGINT",
		Labels:      map[string]string{"a": "b"},
		Healthcheck: &plan.Healthcheck{Command: []string{"-check"}, Interval: time.Hour, Timeout: time.Second, Start: time.Second, Retries: 3},
	}
}
