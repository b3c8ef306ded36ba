package build_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

var update = flag.Bool("update", false, "write testdata/golden instead of comparing with it")

// goldenToolchain compiles the golden images: another one makes other binaries.
const goldenToolchain = "go1.26.8"

// The same commit and the same plan give the same bytes, whatever changes in the kit:
// layers, configurations, indexes, SBOMs and predicates without the metadata of the run. A
// change of these files is a change for every user, and has to be meant.
func TestGolden(t *testing.T) {
	testtool.OnRequest(t, "minutes: it releases every module of testdata with empty caches")
	modules := filepath.Join("..", "testdata", "modules")
	for name, change := range map[string]func(*settings){
		"bind": nil, "embedded": nil, "hello": nil, "replaced": nil, "tzdata": nil, "vendored": nil, "several": nil,
		"ticker":    func(o *settings) { o.Config.Compression = "zstd" },
		"subfolder": func(o *settings) { o.Config.Dir, o.AllowUntagged = "service", true },
		"workspace": func(o *settings) {
			o.Config.Dir, o.Config.StableDigests, o.AllowUntagged = "service", true, true
		},
		"sample-service": nil,
	} {
		t.Run(name, func(t *testing.T) {
			source := filepath.Join(modules, name)
			if name == "sample-service" {
				source = filepath.Join("..", name)
			}
			repo := repositoryOf(t, name, source)
			o := options(t, repo, func(o *settings) {
				o.Cache, o.Platforms = t.TempDir(), []string{"linux/amd64", "linux/arm64"}
				o.Env = append(o.Env, "GOTOOLCHAIN="+goldenToolchain, "SOURCE_DATE_EPOCH=1770091506")
			})
			if change != nil {
				change(&o)
			}
			r, err := build.Release(t.Context(), o.release())
			ok(t, err)
			got := must(json.MarshalIndent(released(t, r), "", "  "))
			golden := filepath.Join("testdata", "golden", name+".json")
			if *update {
				ok(t, os.MkdirAll(filepath.Dir(golden), 0o755))
				ok(t, os.WriteFile(golden, append(got, '\n'), 0o644))
				return
			}
			if want := must(os.ReadFile(golden)); !bytes.Equal(bytes.TrimSpace(want), got) {
				t.Errorf("the bytes that are released have changed; if that is meant, write %s with -update:\n%s", golden, got)
			}
		})
	}
}

// goldenImage is what is released of an image: digests, and SHA-256 of documents.
type goldenImage struct {
	Index     string
	Platforms map[string]goldenPlatform
	// Predicates are by the digest's platform, or "index", and the predicate's type; an index
	// has several SBOMs.
	Predicates map[string][]string
}

type goldenPlatform struct {
	Digest, Config  string
	Layers          []string
	SPDX, CycloneDX string
}

// released reads from the output folder what a release has made.
func released(t *testing.T, r *build.Result) map[string]goldenImage {
	t.Helper()
	sumOf := func(file string) string {
		sum := sha256.Sum256(must(os.ReadFile(filepath.Join(r.Dist, filepath.FromSlash(file)))))
		return hex.EncodeToString(sum[:])
	}
	all := map[string]goldenImage{}
	for _, made := range r.Images {
		img := goldenImage{Index: made.Digest, Platforms: map[string]goldenPlatform{}, Predicates: map[string][]string{}}
		in := must(layout.FromPath(filepath.Join(r.Dist, filepath.FromSlash(made.Layout))))
		names := map[string]string{made.Digest: "index"}
		index := must(must(in.ImageIndex()).ImageIndex(must(v1.NewHash(made.Digest))))
		for _, p := range made.Platforms {
			built := must(index.Image(must(v1.NewHash(p.Digest))))
			golden := goldenPlatform{Digest: p.Digest, Config: must(built.ConfigName()).String(), SPDX: sumOf(p.SBOM.SPDX), CycloneDX: sumOf(p.SBOM.CycloneDX)}
			for _, l := range must(built.Layers()) {
				golden.Layers = append(golden.Layers, must(l.Digest()).String())
			}
			img.Platforms[p.Platform.String()], names[p.Digest] = golden, p.Platform.String()
		}
		for _, d := range must(must(in.ImageIndex()).IndexManifest()).Manifests {
			if !d.MediaType.IsImage() {
				continue
			}
			stored := must(in.Image(d.Digest))
			m := must(stored.Manifest())
			if m.Subject == nil {
				continue
			}
			kind, sum := predicateIn(t, must(in.Bytes(m.Layers[0].Digest)))
			key := names[m.Subject.Digest.String()] + " " + kind
			img.Predicates[key] = append(img.Predicates[key], sum)
			slices.Sort(img.Predicates[key])
		}
		if len(img.Predicates) < 4*len(names)-3 {
			t.Errorf("%s has only the predicates %v", made.Name, img.Predicates)
		}
		all[made.Name] = img
	}
	return all
}

// predicateIn is the type of the predicate in a Sigstore bundle, and its hash without the
// metadata of the run.
func predicateIn(t *testing.T, bundle []byte) (kind, sum string) {
	t.Helper()
	var b struct {
		DSSEEnvelope struct{ Payload string }
	}
	ok(t, json.Unmarshal(bundle, &b))
	var statement struct {
		PredicateType string
		Predicate     map[string]any
	}
	ok(t, json.Unmarshal(must(base64.StdEncoding.DecodeString(b.DSSEEnvelope.Payload)), &statement))
	if run, isRun := statement.Predicate["runDetails"].(map[string]any); isRun {
		delete(run, "metadata")
	}
	h := sha256.Sum256(must(json.Marshal(statement.Predicate)))
	return strings.TrimPrefix(statement.PredicateType, "https://"), hex.EncodeToString(h[:])
}
