package build_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/report"
)

// self is this test as the program that builds in a clean room: see TestMain.
func self(t testing.TB) []string {
	t.Helper()
	program, err := os.Executable()
	ok(t, err)
	return []string{program}
}

// warm lets clean rooms use this machine's build cache: compiling the standard library
// again shows nothing that one test does not show already.
func warm(t testing.TB) func(*settings) {
	t.Helper()
	out, err := testtool.Command(t, "go", "env", "GOCACHE").Output()
	ok(t, err)
	return func(o *settings) { build.SetRoom(&o.Options, "GOCACHE="+strings.TrimSpace(string(out))) }
}

// service is a small service of these files in a repository of its own, at v1.2.3.
func service(t testing.TB, files map[string]string) string {
	t.Helper()
	repo := filepath.Join(t.TempDir(), "service")
	for name, content := range files {
		file := filepath.Join(repo, name)
		ok(t, os.MkdirAll(filepath.Dir(file), 0o755))
		ok(t, os.WriteFile(file, []byte(content), 0o644))
	}
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a commit")
	git(t, repo, "tag", "v1.2.3")
	git(t, repo, "remote", "add", "origin", "https://git.example.com/acme/service.git")
	return repo
}

var plain = map[string]string{
	"go.mod":      "module example.com/service\n\ngo 1.26\n",
	"main.go":     "package main\n\nvar date string\n\nfunc main() { println(\"service\", date) }\n",
	"conf/a.conf": "a = 1\n",
}

// generated has a generated file that git ignores, and how it is generated.
func generated(generator string) map[string]string {
	return map[string]string{
		"go.mod":     plain["go.mod"],
		".gitignore": "/generated.go\n",
		"main.go":    "package main\n\n//go:generate go run gen/main.go\n\nfunc main() { println(generated) }\n",
		"gen/main.go": "package main\n\nimport (\n\t\"os\"\n\t\"time\"\n\t\"fmt\"\n)\n\nvar _, _ = time.Now, fmt.Sprint\n\nfunc main() {\n" +
			generator + "\tos.WriteFile(\"generated.go\", []byte(s), 0o644)\n}\n",
	}
}

var byTime = generated("\ts := \"package main\\n\\nconst generated = \\\"built at \" + time.Now().Format(time.RFC3339Nano) + \"\\\"\\n\"\n")

var byMap = generated(`	m := map[string]int{}
	for i := range 64 {
		m[fmt.Sprint("key-", i)] = i
	}
	s := "package main\n\nconst generated = \"\" +\n"
	for k := range m {
		s += "\t\"" + k + "\" +\n"
	}
	s += "\t\"\"\n"
`)

var generate = [][]string{{"go", "generate", "./..."}}

// causes says whether a report names the cause, and that it is of that kind.
func causes(t testing.TB, c *report.Comparison, kind, words string) {
	t.Helper()
	if c.Same {
		t.Fatal("the builds are equal")
	}
	for _, cause := range c.Causes {
		if string(cause.Kind) == kind && strings.Contains(cause.Detail, words) {
			if c.Causes[0] != cause {
				t.Errorf("the first cause is %+v", c.Causes[0])
			}
			return
		}
	}
	t.Errorf("the causes are %+v, want %s: %s\n%+v", c.Causes, kind, words, c.Differences)
}

// at is the difference at a depth.
func at(c *report.Comparison, depth string) string {
	for _, d := range c.Differences {
		if string(d.Depth) == depth {
			return strings.Join([]string{d.Where, d.What, d.A, d.B}, "|")
		}
	}
	return ""
}

// Causes injected one by one: what the report of two builds names.
func TestCauses(t *testing.T) {
	testtool.OnRequest(t, "minutes, and another version of Go")
	asset := func(mode uint32) func(*settings) {
		return func(o *settings) {
			o.Config.Defaults.Assets = []build.Asset{{Source: "conf/a.conf", Target: "/etc/a.conf", Mode: mode}}
		}
	}
	nothing := func(*settings) {}
	for _, test := range []struct {
		name        string
		files       map[string]string
		one, other  func(*settings)
		between     func(repo string)
		kind, words string
		depths      map[string]string
	}{
		{
			name: "a time by go:generate", files: byTime,
			one: func(o *settings) { o.Config.Before = generate }, other: func(o *settings) { o.Config.Before = generate },
			kind: "time", words: "a time was compiled into /app/service: 20",
			depths: map[string]string{"layer": "binary|digest|", "file": "/app/service|content|", "section": "|byte 0x", "plan": "/generated/generated.go/sha256|"},
		},
		{
			name: "-X with the date", files: plain,
			one:   func(o *settings) { o.Config.LDFlags = []string{"-X", "main.date=2026-11-25T10:00:00Z"} },
			other: func(o *settings) { o.Config.LDFlags = []string{"-X", "main.date=2026-11-25T10:00:07Z"} },
			kind:  "flag", words: "it contains a time, which differs in every build: 2026-11-25T10:00:00 / 2026-11-25T10:00:07",
			depths: map[string]string{"plan": "/build/ldflags|", "section": ".rodata|byte"},
		},
		{
			name: "the order of a map", files: byMap,
			one: func(o *settings) { o.Config.Before = generate }, other: func(o *settings) { o.Config.Before = generate },
			kind: "source", words: "what Config.Before made, by its SHA-256, is ",
			depths: map[string]string{"section": ".rodata|byte", "build info": ""},
		},
		{
			name: "another toolchain", files: plain, one: nothing,
			other: func(o *settings) { o.Env = append(o.Env, "GOTOOLCHAIN=go1.27.1") },
			kind:  "toolchain", words: "/ go1.27.1",
			depths: map[string]string{"plan": "/toolchain/version|", "build info": "go|", "section": "|"},
		},
		{
			name: "another build tag", files: plain, one: nothing,
			other: func(o *settings) { o.Config.BuildTags = []string{"netgo"} },
			kind:  "flag", words: `the build tags is - / ["netgo"]`,
			depths: map[string]string{"plan": "/build/tags|", "build info": "-tags|"},
		},
		{
			name: "a dirty file", files: plain, one: nothing, other: nothing,
			between: func(repo string) { ok(t, os.WriteFile(filepath.Join(repo, "notes.txt"), nil, 0o644)) },
			kind:    "VCS state", words: "the first file that differs from the commit is - / notes.txt",
			depths: map[string]string{"plan": "/build/vcsModified|", "build info": "mod|", "config": "/config/Labels/build.thimble.dirty|"},
		},
		{
			name: "another commit", files: plain, one: nothing, other: nothing,
			between: func(repo string) { git(t, repo, "commit", "-q", "--allow-empty", "-m", "another") },
			kind:    "VCS state", words: "the commit is ",
		},
		{
			name: "another base", files: plain, one: nothing,
			other: func(o *settings) { o.Config.Defaults.Include = []string{"zoneinfo"} },
			kind:  "base", words: `what the root file system must contain is - / ["zoneinfo"]`,
			depths: map[string]string{"plan": "/images/service/include|", "layer": "rootfs||-|sha256:"},
		},
		{
			name: "another mode of a file", files: plain, one: asset(0), other: asset(0o640),
			kind: "mode", words: "the asset's mode is - / 0640",
			depths: map[string]string{"layer": "assets|digest|", "file": "/etc/a.conf|mode|0644|0640"},
		},
		{
			name: "an executable bit", files: plain, one: asset(0), other: asset(0),
			between: func(repo string) { // the commit's counts
				git(t, repo, "update-index", "--chmod=+x", "conf/a.conf")
				git(t, repo, "commit", "-q", "-m", "executable")
				git(t, repo, "tag", "-f", "v1.2.3")
				ok(t, os.Chmod(filepath.Join(repo, "conf", "a.conf"), 0o755)) // for git's status
			},
			kind: "VCS state", words: "the commit is ",
			depths: map[string]string{"file": "/etc/a.conf|mode|0644|0755"},
		},
		{
			name: "another compression", files: plain, one: nothing,
			other: func(o *settings) { o.Config.Compression = "zstd" },
			kind:  "compressor", words: "the compression is gzip / zstd",
			depths: map[string]string{"layer": "binary|digest|", "file": "", "manifest": "/layers/0/digest|"},
		},
		{
			name: "another epoch", files: plain, one: nothing,
			other: func(o *settings) { o.Env = append(o.Env, "SOURCE_DATE_EPOCH=1") },
			kind:  "epoch", words: "/ 1",
			depths: map[string]string{"layer": "", "config": "/config/Labels/org.opencontainers.image.created|"},
		},
		{
			name: "a label", files: plain, one: nothing,
			other: func(o *settings) { o.Config.Defaults.Runtime.Labels = map[string]string{"a": "b"} },
			kind:  "config", words: `runtime/labels of service is - / {"a":"b"}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			repo := service(t, test.files)
			o, p := options(t, repo, test.one), options(t, repo, test.other)
			o.Config.Dist, p.Config.Dist = "dist-a", "dist-b"
			_, err := build.Image(t.Context(), o.image())
			ok(t, err)
			if test.between != nil {
				test.between(repo)
			}
			_, err = build.Image(t.Context(), p.image())
			ok(t, err)
			c, err := build.Between(t.Context(), o.Options, "dist-a", "dist-b/manifest.json")
			ok(t, err)
			causes(t, c, test.kind, test.words)
			for depth, want := range test.depths {
				if got := at(c, depth); !strings.Contains(got, want) || want == "" && got != "" {
					t.Errorf("at the depth %s: %q, want %q", depth, got, want)
				}
			}
			if test.name == "a time by go:generate" {
				return // without the layouts nobody could tell
			}
			// The two files alone tell it as well, where plans do.
			for _, dist := range []string{"dist-a", "dist-b"} {
				for _, folder := range []string{"oci", "bin", "sbom"} {
					ok(t, os.RemoveAll(filepath.Join(repo, dist, folder)))
				}
			}
			c, err = build.Between(t.Context(), o.Options, "dist-a", "dist-b/manifest.json")
			ok(t, err)
			if c.Same {
				t.Error("without the layouts, the builds are equal")
			}
			if at(c, "plan") != "" {
				causes(t, c, test.kind, test.words)
			}
			if at(c, "file") != "" && !strings.HasPrefix(at(c, "file"), "the binary|sha256|") {
				t.Errorf("without the layouts: %q", at(c, "file"))
			}
		})
	}
}

// Another level of the same compressor gives the same files in another blob.
func TestCauseCompressorLevel(t *testing.T) {
	t.Parallel()
	repo := service(t, plain)
	o := options(t, repo)
	r, err := build.Image(t.Context(), o.image())
	ok(t, err)
	other := filepath.Join(repo, "other")
	ok(t, os.CopyFS(other, os.DirFS(r.Dist)))
	recompress(t, other, r, gzip.BestSpeed)
	c, err := build.Between(t.Context(), o.Options, "dist", "other")
	ok(t, err)
	causes(t, c, "compressor", "layer binary contains the same files, but its gzip header differs: flags 0, time 0, extra flags 0, system 255 / ")
	if got := at(c, "layer"); !strings.HasPrefix(got, "binary|digest|") || at(c, "file") != "" {
		t.Errorf("%+v", c.Differences)
	}
}

// recompress compresses the layers of a layout in a copy of dist, and writes the new
// digests into its manifest.json.
func recompress(t *testing.T, dist string, r *build.Result, level int) {
	t.Helper()
	var m report.Manifest
	ok(t, json.Unmarshal(manifestOf(t, dist), &m))
	made := &m.Images[0]
	inner := index(t, r, *made)
	old := must(inner.Image(must(v1.NewHash(made.Platforms[0].Digest))))
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for i, l := range must(old.Layers()) {
		layer := must(tarball.LayerFromOpener(l.Uncompressed, tarball.WithCompressionLevel(level), tarball.WithMediaType(types.OCILayer)))
		img = must(mutate.AppendLayers(img, layer))
		made.Platforms[0].Layers[i].Digest = must(layer.Digest()).String()
	}
	img = must(mutate.ConfigFile(img, must(old.ConfigFile())))
	img = mutate.Annotations(img, must(old.Manifest()).Annotations).(v1.Image)
	all := must(inner.IndexManifest())
	idx := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: img, Descriptor: v1.Descriptor{Platform: all.Manifests[0].Platform},
	})
	idx = mutate.Annotations(idx, all.Annotations).(v1.ImageIndex)
	made.Platforms[0].Digest, made.Digest = must(partial.Descriptor(img)).Digest.String(), must(idx.Digest()).String()
	dir := filepath.Join(dist, filepath.FromSlash(made.Layout))
	ok(t, os.RemoveAll(dir))
	p := must(layout.Write(dir, empty.Index))
	ok(t, p.AppendIndex(idx))
	ok(t, os.WriteFile(filepath.Join(dist, "manifest.json"), must(m.JSON()), 0o644))
}

// What a clean room finds that two builds in one folder would not: it knows what the
// build generated, and has none of this machine's settings.
func TestReproduceCauses(t *testing.T) {
	testtool.OnRequest(t, "minutes: it builds again in clean rooms")
	for _, test := range []struct {
		name        string
		files       map[string]string
		change      func(*settings)
		repo        func(repo string)
		kind, words string
	}{
		{
			name: "a time by go:generate", files: byTime, change: func(o *settings) { o.Config.Before = generate },
			kind: "time", words: "generated.go, which is not in the commit, contains a time: 20",
		},
		{
			name: "the order of a map", files: byMap, change: func(o *settings) { o.Config.Before = generate },
			kind: "source", words: "generated.go, which is not in the commit, has the same lines in another order, for example because a map was written",
		},
		{
			name: "another toolchain", files: plain, change: func(o *settings) { o.Env = append(o.Env, "GOTOOLCHAIN=go1.27.1") },
			kind: "toolchain", words: "the Go toolchain is go1.27.1 / go1.26",
		},
		{
			name: "a flag in the environment", files: plain, change: func(o *settings) { o.Env = append(o.Env, "GOFLAGS=-tags=netgo") },
			kind: "flag", words: `the build tags is ["netgo"] / -`,
		},
		{
			name: "no stamp", files: plain, change: func(o *settings) { o.Env = append(o.Env, "GOFLAGS=-buildvcs=false") },
			kind: "VCS state", words: "the commit's stamp in the binary (no Unstamped, no GOFLAGS=-buildvcs=false, no linked worktree) is false / true",
		},
		{
			name: "a dirty file", files: plain, change: func(*settings) {},
			repo: func(repo string) { ok(t, os.WriteFile(filepath.Join(repo, "notes.txt"), nil, 0o644)) },
			kind: "VCS state", words: "the first file that differs from the commit is notes.txt / -",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo := service(t, test.files)
			if test.repo != nil {
				test.repo(repo)
			}
			r, err := build.Reproduce(t.Context(), options(t, repo, test.change, warm(t)).Options, self(t))
			if !errors.Is(err, build.ErrDiffers) || !strings.Contains(err.Error(), "the cause: "+test.kind+": ") {
				t.Fatalf("the error is %v", err)
			}
			causes(t, r.Comparison, test.kind, test.words)
		})
	}
}

// The same commit in a clean room with empty caches, equal to the bit.
func TestReproduce(t *testing.T) {
	testtool.OnRequest(t, "minutes: it builds again in clean rooms")
	repo := module(t, "subfolder")
	o := options(t, repo, func(o *settings) {
		o.Config.Dir, o.Platforms = "service", []string{"linux/amd64", "linux/arm64"}
	})
	said := &notices{}
	o.Progress = said
	before, err := filepath.Glob(filepath.Join(os.TempDir(), "thimble-reproduce-*"))
	ok(t, err)
	r, err := build.Reproduce(t.Context(), o.Options, self(t))
	ok(t, err)
	if !r.Same || len(r.Compared) != 3 || len(r.Differences)+len(r.Causes) > 0 {
		t.Errorf("%+v", r.Comparison)
	}
	for _, want := range []string{"folder", "HOME", "TZ=", "LANG=", "GOMAXPROCS=", "empty caches", "umask"} {
		if !slices.ContainsFunc(r.Room, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("the room varies %q, and not %s", r.Room, want)
		}
	}
	if len(said.with("has no manifest.json; building the tree first")) != 1 {
		t.Errorf("%q", said.all)
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "thimble-reproduce-*"))
	ok(t, err)
	if left = slices.DeleteFunc(left, func(dir string) bool { return slices.Contains(before, dir) }); len(left) > 0 {
		t.Errorf("rooms are left behind: %q", left)
	}
	// It is equal to what is in dist, not to what the tree would give now.
	var m report.Manifest
	ok(t, json.Unmarshal(manifestOf(t, filepath.Join(repo, "dist")), &m))
	ok(t, os.WriteFile(filepath.Join(repo, "README.md"), []byte("changed since"), 0o644))
	git(t, repo, "commit", "-q", "-am", "later")
	warm(t)(&o)
	r, err = build.Reproduce(t.Context(), o.Options, self(t))
	ok(t, err)
	if r.Revision != m.Plan.Revision {
		t.Errorf("it builds %s again, want %s", r.Revision, m.Plan.Revision)
	}
}

func TestReproduceRefuses(t *testing.T) {
	t.Parallel()
	repo := filepath.Join(t.TempDir(), "hello")
	ok(t, os.CopyFS(repo, os.DirFS("../testdata/modules/hello")))
	_, err := build.Reproduce(t.Context(), options(t, repo).Options, self(t))
	refused(t, err, "the build has no commit", "commit the tree")

	repo = module(t, "hello")
	ok(t, os.MkdirAll(filepath.Join(repo, "dist"), 0o755))
	ok(t, os.WriteFile(filepath.Join(repo, "dist", "manifest.json"), []byte("{}"), 0o644))
	_, err = build.Reproduce(t.Context(), options(t, repo).Options, self(t))
	refused(t, err, "manifest.json", "it has no plan and no images")
	_, err = build.Between(t.Context(), options(t, repo).Options, "dist", "nowhere.json")
	refused(t, err, "manifest.json")
	ok(t, os.WriteFile(filepath.Join(repo, "dist", "manifest.json"), bytes.Repeat([]byte("["), 100), 0o644))
	_, err = build.Between(t.Context(), options(t, repo).Options, "dist", "dist")
	refused(t, err, "read manifest")
}
