package build_test

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/klauspost/pgzip"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

func image(t *testing.T, repo string, o settings) *build.Result {
	t.Helper()
	o.Workdir, o.SkipTests = repo, true
	if o.Cache == "" {
		o.Cache = cacheFolder(t)
	}
	if o.Env == nil {
		o.Env = environment()
	}
	result, err := build.Image(t.Context(), o.image())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// index is the one image index of an OCI layout in dist.
func index(t *testing.T, r *build.Result, img report.ImageResult) v1.ImageIndex {
	t.Helper()
	top, err := layout.ImageIndexFromPath(filepath.Join(r.Dist, img.Layout))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest.String() != img.Digest {
		t.Fatalf("index.json has %+v, the manifest %s", manifest.Manifests, img.Digest)
	}
	inner, err := top.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return inner
}

// TestLayout makes sample-service for three platforms and lets ggcr check every
// byte of the layout.
func TestLayout(t *testing.T) {
	testtool.OnRequest(t, "minutes: it compiles for three platforms")
	repo := sampleService(t)
	r := image(t, repo, settings{Options: build.Options{Platforms: []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}}})
	img := r.Images[0]
	idx := index(t, r, img)
	if err := validate.Index(idx); err != nil {
		t.Error(err)
	}
	manifest, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	rootfs := map[string]bool{}
	for i, d := range manifest.Manifests {
		platforms = append(platforms, d.Platform.String())
		if got := img.Platforms[i].Digest; got != d.Digest.String() {
			t.Errorf("the manifest says %s, the index %s", got, d.Digest)
		}
		rootfs[img.Platforms[i].Layers[0].Digest] = true
	}
	if want := []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}; !slices.Equal(platforms, want) {
		t.Errorf("platforms = %q, want %q", platforms, want)
	}
	if len(rootfs) != 1 {
		t.Errorf("the root file systems of the platforms differ: %v", rootfs)
	}

	// Fewer platforms: what is stale leaves.
	blobs := func() int {
		files, err := filepath.Glob(filepath.Join(r.Dist, img.Layout, "blobs", "sha256", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	many := blobs()
	again := image(t, repo, settings{Options: build.Options{Platforms: []string{"linux/amd64"}}})
	if want := 1 + 1 + 1 + len(again.Images[0].Platforms[0].Layers); many <= want || blobs() != want {
		t.Errorf("there are %d blobs after %d, want %d", blobs(), many, want)
	}
	if left, _ := filepath.Glob(filepath.Join(r.Dist, "*", "*", "linux_arm*")); len(left) > 0 {
		t.Errorf("stale files: %q", left)
	}
}

// TestReproducible builds one commit in two folders under circumstances that
// must not matter.
func TestReproducible(t *testing.T) {
	testtool.OnRequest(t, "minutes: the standard library is compiled again")
	origin := sampleService(t)
	digest := func(repo, gocache, procs, umask, mage string, env ...string) string {
		t.Helper()
		cmd := testtool.Command(t, "sh", "-c", "umask "+umask+"; exec \"$0\" image -test=false -json -platform=linux/amd64", mage)
		cmd.Dir = repo
		cmd.Env = environment(append([]string{
			"XDG_CACHE_HOME=" + t.TempDir(), "GOCACHE=" + gocache, "GOMAXPROCS=" + procs,
		}, env...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		var m report.Manifest
		if err := json.Unmarshal(out, &m); err != nil {
			t.Fatal(err)
		}
		return m.Images[0].Digest
	}
	mage := must(testtool.Targets(t.Context(), ".."))
	clone := func(umask string) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "another", "place")
		cmd := testtool.Command(t, "sh", "-c", "umask "+umask+"; exec git clone -q \"file://$0\" \"$1\"", origin, dir)
		cmd.Env = environment()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return dir
	}
	modcache, err := testtool.Command(t, "go", "env", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	caches := strings.Fields(string(modcache))

	one := digest(clone("022"), caches[1], "2", "022", mage)
	empty := t.TempDir()
	other := digest(clone("077"), empty, "1", "077", mage,
		"GOMODCACHE="+caches[0], "HOME="+t.TempDir(), "TZ=Asia/Kathmandu", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "TMPDIR="+t.TempDir())
	if one != other {
		t.Errorf("another folder, umask, zone, language, home, cache and number of processors: %s, want %s", other, one)
	}

	// A copy with other file modes, which git does not see.
	modes := clone("022")
	git(t, modes, "config", "core.fileMode", "false")
	err = filepath.WalkDir(modes, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "/.git/") {
			return err
		}
		return os.Chmod(path, 0o777)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := digest(modes, caches[1], "2", "022", mage); got != one {
		t.Errorf("other file modes: %s, want %s", got, one)
	}
}

// TestOneVersion compares what the places that name a version and a revision say.
func TestOneVersion(t *testing.T) {
	for name, prepare := range map[string]func(repo string){
		"clean": func(string) {},
		"dirty": func(repo string) {
			if err := os.WriteFile(filepath.Join(repo, "notes.txt"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"a tag that is no version to Go": func(repo string) {
			git(t, repo, "tag", "-d", "v1.2.3")
			git(t, repo, "tag", "6.14.1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			repo := module(t, "hello")
			prepare(repo)
			r := image(t, repo, settings{})
			p, img := r.Plan, r.Images[0]
			made := img.Platforms[0]

			info, err := buildinfo.ReadFile(filepath.Join(r.Dist, made.Binary.Path))
			if err != nil {
				t.Fatal(err)
			}
			settings := map[string]string{}
			for _, s := range info.Settings {
				settings[s.Key] = s.Value
			}
			dirty := map[bool]string{true: "true", false: "false"}[p.Dirty]
			if settings["vcs.revision"] != p.Revision || settings["vcs.modified"] != dirty || info.Main.Version != p.ModuleVersion {
				t.Errorf("build info: %v, %s; plan: %s, %s, %s", settings, info.Main.Version, p.Revision, dirty, p.ModuleVersion)
			}

			hash, err := v1.NewHash(made.Digest)
			if err != nil {
				t.Fatal(err)
			}
			built, err := index(t, r, img).Image(hash)
			if err != nil {
				t.Fatal(err)
			}
			config, err := built.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			labels := config.Config.Labels
			if labels["org.opencontainers.image.revision"] != p.Revision || labels["org.opencontainers.image.version"] != p.Version {
				t.Errorf("labels: %v; plan: %s, %s", labels, p.Revision, p.Version)
			}
			if labels["build.thimble.dirty"] == "true" != p.Dirty {
				t.Errorf("labels: %v; plan: dirty %v", labels, p.Dirty)
			}
			if v, ok := labels["build.thimble.module-version"]; ok && v != p.ModuleVersion || !ok && p.ModuleVersion != p.Version {
				t.Errorf("labels: %v; plan: module version %s", labels, p.ModuleVersion)
			}
			if want := strings.ReplaceAll(p.Version, "+", "-"); img.Tags[0] != want || !strings.HasSuffix(img.Reference, ":"+want) {
				t.Errorf("tags %q, reference %s; plan: %s", img.Tags, img.Reference, p.Version)
			}

			for _, document := range []string{made.SBOM.SPDX, made.SBOM.CycloneDX} {
				b, err := os.ReadFile(filepath.Join(r.Dist, document))
				if err != nil {
					t.Fatal(err)
				}
				for _, fact := range []string{p.Revision, p.Version, p.ModuleVersion} {
					if !bytes.Contains(b, []byte(fact)) {
						t.Errorf("%s does not say %s", document, fact)
					}
				}
				if says := bytes.Contains(b, []byte("thimble:dirty=true")) || bytes.Contains(b, []byte(`"name":"thimble:dirty","value":"true"`)); says != p.Dirty {
					t.Errorf("%s says dirty: %v; plan: %v", document, says, p.Dirty)
				}
			}
		})
	}
}

// TestModulesOfBinaryAreInSBOMs compares both SBOMs with what `go version -m`
// shows, in both directions.
func TestModulesOfBinaryAreInSBOMs(t *testing.T) {
	testtool.OnRequest(t, "minutes: it compiles sample-service")
	r := image(t, sampleService(t), settings{})
	made := r.Images[0].Platforms[0]
	out, err := testtool.Command(t, "go", "version", "-m", filepath.Join(r.Dist, made.Binary.Path)).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"pkg:golang/std@" + strings.TrimPrefix(r.Plan.Toolchain.Version, "go")}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && (f[0] == "dep" || f[0] == "mod") {
			want = append(want, "pkg:golang/"+strings.ToLower(f[1])+"@"+f[2])
		}
	}
	if len(want) < 12 {
		t.Fatalf("go version -m shows %d modules", len(want))
	}
	read := func(name string, into any) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(r.Dist, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	check := func(document string, got []string) {
		t.Helper()
		got = slices.DeleteFunc(got, func(p string) bool { return !strings.HasPrefix(p, "pkg:golang/") })
		for i, p := range got {
			got[i] = strings.ReplaceAll(strings.TrimPrefix(p, ""), "@go1.", "@1.")
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has\n%s\nwant\n%s", document, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	var doc spdx.Document
	read(made.SBOM.SPDX, &doc)
	var got []string
	for _, p := range doc.Packages {
		for _, ref := range p.PackageExternalReferences {
			if ref.RefType == "purl" {
				got = append(got, ref.Locator)
			}
		}
	}
	check("SPDX", got)
	var bom cyclonedx.BOM
	read(made.SBOM.CycloneDX, &bom)
	got = nil
	for _, c := range *bom.Components {
		got = append(got, c.PackageURL)
	}
	check("CycloneDX", got)
}

// TestSize holds the images against the budget: what they weigh beyond the
// binary, compressed alone as a layer is.
func TestSize(t *testing.T) {
	testtool.OnRequest(t, "minutes: it compiles sample-service")
	repo := filepath.Join(t.TempDir(), "hello")
	if err := os.CopyFS(repo, os.DirFS("../testdata/modules/hello")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		r     *build.Result
		limit int64
	}{
		{"sample-service without licence texts", image(t, sampleService(t), settings{Options: build.Options{Config: build.Config{
			Defaults: build.ImageConfig{OmitLicenseTexts: true, Include: []string{plan.NeedCACertificates, plan.NeedZoneinfo}},
		}}}), 260_000},
		{"hello", image(t, repo, settings{}), 4_000},
	} {
		made := test.r.Images[0].Platforms[0]
		f, err := os.Open(filepath.Join(test.r.Dist, made.Binary.Path))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var alone bytes.Buffer
		z, err := pgzip.NewWriterLevel(&alone, 6)
		if err != nil {
			t.Fatal(err)
		}
		if err := z.SetConcurrency(1<<20, 2); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(z, f); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		rest := made.Size - int64(alone.Len())
		t.Logf("%s: %d bytes, of which %d are not the binary", test.name, made.Size, rest)
		if rest > test.limit {
			t.Errorf("%s: %d bytes beyond the binary, want at most %d", test.name, rest, test.limit)
		}
		if test.name == "hello" && len(made.Layers) != 1 {
			t.Errorf("hello has layers %+v", made.Layers)
		}
	}
}
