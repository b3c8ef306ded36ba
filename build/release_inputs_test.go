package build_test

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// predicates returns those of the bundles that a registry has about a digest, by their type. They
// are read with nothing of the product's code.
func predicates(t *testing.T, host, repository, digest string) map[string][]byte {
	t.Helper()
	c, err := registrytest.Inspect(host, repository)
	ok(t, err)
	referrers, err := c.Referrers(host, repository, digest)
	ok(t, err)
	found := map[string][]byte{}
	for _, r := range referrers {
		for _, layer := range r.Layers {
			var bundle struct {
				DSSEEnvelope struct{ Payload string } `json:"dsseEnvelope"`
			}
			ok(t, json.Unmarshal(c.Blobs[layer.Digest], &bundle))
			if bundle.DSSEEnvelope.Payload == "" {
				continue // a signature
			}
			var statement struct {
				PredicateType string
				Predicate     json.RawMessage
			}
			ok(t, json.Unmarshal(must(base64.StdEncoding.DecodeString(bundle.DSSEEnvelope.Payload)), &statement))
			found[statement.PredicateType] = statement.Predicate
		}
	}
	return found
}

// What is stored about a release names the version of the Go Cryptographic Module and the profile
// that the compiler used.
func TestReleaseNamesFIPSAndProfile(t *testing.T) {
	testtool.OnRequest(t, "the standard library is compiled with a profile")
	const version = "v1.0.0"
	host := registrytest.InProcess(t, true)
	profile := cpuProfile(t)
	repo := service(t, map[string]string{
		"go.mod":      plain["go.mod"],
		"main.go":     "package main\n\nimport \"crypto/fips140\"\n\nfunc main() { println(fips140.Enabled(), fips140.Version()) }\n",
		"default.pgo": string(profile),
	})
	o := options(t, repo, to(host, newKey(t)))
	o.Config.Defaults.FIPS140 = version
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)

	img := r.Images[0]
	repository := "acme/" + img.Name
	profiles := []plan.Profile{{Name: "default.pgo", SHA256: fmt.Sprintf("%x", sha256.Sum256(profile))}}
	for _, digest := range []string{img.Digest, img.Platforms[0].Digest} {
		var provenance struct {
			BuildDefinition struct {
				ExternalParameters struct {
					Defaults struct {
						FIPS140 string `json:"gofips140"`
					}
				}
				InternalParameters struct{ Plan plan.Plan }
			}
		}
		ok(t, json.Unmarshal(predicates(t, host, repository, digest)["https://slsa.dev/provenance/v1"], &provenance))
		asked := provenance.BuildDefinition.ExternalParameters.Defaults.FIPS140
		p := provenance.BuildDefinition.InternalParameters.Plan
		if asked != version || len(p.Images) != 1 || p.Images[0].FIPS140 != version {
			t.Errorf("the provenance of %s has FIPS140 %q, and in its plan %+v", digest, asked, p.Images)
		}
		if !slices.Equal(p.Profiles, profiles) {
			t.Errorf("the provenance of %s has the profiles %+v, want %+v", digest, p.Profiles, profiles)
		}
	}
	documents := predicates(t, host, repository, img.Platforms[0].Digest)
	for predicate, want := range map[string]string{
		"https://spdx.dev/Document": `"comment":"thimble:gofips140=` + version + `"`,
		"https://cyclonedx.org/bom": `{"name":"thimble:gofips140","value":"` + version + `"}`,
	} {
		var b bytes.Buffer
		ok(t, json.Compact(&b, documents[predicate]))
		if strings.Count(b.String(), want) != 1 {
			t.Errorf("%s lacks %s:\n%s", predicate, want, b.String())
		}
	}
	info := must(buildinfo.ReadFile(filepath.Join(r.Dist, filepath.FromSlash(img.Platforms[0].Binary.Path))))
	if !slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool {
		return s.Key == "-pgo" && strings.HasSuffix(s.Value, "default.pgo")
	}) {
		t.Errorf("the program was compiled without the profile: %v", info.Settings)
	}
}

// cpuProfile returns a profile of some work.
func cpuProfile(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	ok(t, pprof.StartCPUProfile(&b))
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		sha256.Sum256(b.Bytes())
	}
	pprof.StopCPUProfile()
	return b.Bytes()
}
