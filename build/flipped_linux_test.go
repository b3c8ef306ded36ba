package build_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// flip changes one bit in the middle of a file, whose size and time stay as they are.
func flip(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := len(b) / 2
	if _, err := f.WriteAt([]byte{b[at] ^ 4}, int64(at)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// filesBelow are the files of a folder that have content.
func filesBelow(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Size() > 0 {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// hashOf is the SHA-256 of a file, in hex.
func hashOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// TestFlippedBits flips a bit in what an earlier run has left, in the cache and in the
// output folder, under the same size and time. Whatever it was, the next image and
// release have the digests of the source, and the output folder is whole.
func TestFlippedBits(t *testing.T) {
	testtool.OnRequest(t, "minutes: it runs for every file")
	repo, cache := helloRepo(t), t.TempDir()
	o := options(t, repo, func(o *settings) {
		o.Cache, o.Config.DebugSymbols, o.Config.Release.Key = cache, true, newKey(t)
		o.Config.Defaults.Include = []string{plan.NeedCACertificates, plan.NeedUsers}
	})
	verbs := map[string]func() (*build.Result, error){
		"image":   func() (*build.Result, error) { return build.Image(t.Context(), o.image()) },
		"release": func() (*build.Result, error) { return build.Release(t.Context(), o.release()) },
	}
	made := func(verb string) map[string]string {
		t.Helper()
		r, err := verbs[verb]()
		if err != nil {
			t.Fatal(err)
		}
		p := r.Images[0].Platforms[0]
		digests := map[string]string{"index": r.Images[0].Digest, "image": p.Digest, "binary": p.Binary.SHA256}
		for _, file := range []string{p.Binary.Path, p.Binary.Symbols, p.SBOM.SPDX, p.SBOM.CycloneDX} {
			digests[file] = hashOf(t, filepath.Join(r.Dist, file))
		}
		if digests[p.Binary.Path] != p.Binary.SHA256 {
			t.Errorf("%s is not the binary of the manifest", p.Binary.Path)
		}
		for _, a := range r.Archives {
			if digests[a.Path] = hashOf(t, filepath.Join(r.Dist, a.Path)); digests[a.Path] != a.SHA256 {
				t.Errorf("%s is not the archive of the manifest", a.Path)
			}
		}
		for _, blob := range filesBelow(t, filepath.Join(r.Dist, r.Images[0].Layout, "blobs", "sha256")) {
			if hashOf(t, blob) != filepath.Base(blob) {
				t.Errorf("%s has another content", blob)
			}
		}
		return digests
	}
	for _, verb := range []string{"image", "release"} {
		want := made(verb)
		time.Sleep(50 * time.Millisecond) // so that the next run remembers the files
		made(verb)
		check := func(t *testing.T) {
			t.Helper()
			for name, digest := range made(verb) {
				if digest != want[name] {
					t.Errorf("%s: %s is %s, and was %s", verb, name, digest, want[name])
				}
			}
		}
		all := func() (files []string) {
			for _, file := range append(filesBelow(t, cache), filesBelow(t, filepath.Join(repo, "dist"))...) {
				if name := filepath.Base(file); name != ".gitignore" && name != "trimmed" {
					files = append(files, file)
				}
			}
			return files
		}
		// What is not there is not flipped.
		for what, name := range map[string]string{
			"binary": `^/bin/[^/]+/linux_amd64/hello$`, "layer": `^/content/blobs/[0-9a-f]{64}$`, "value": `^/content/values/[0-9a-f]{64}$`,
			"list of source files": `^/.*/sources/linux_amd64\.json$`,
		} {
			if !slices.ContainsFunc(all(), func(file string) bool {
				below, inCache := strings.CutPrefix(file, cache)
				return inCache && regexp.MustCompile(name).MatchString(below)
			}) {
				t.Errorf("%s: the cache has no %s", verb, what)
			}
		}
		t.Run(verb+" all", func(t *testing.T) {
			for _, file := range all() {
				flip(t, file)
			}
			check(t)
		})
		for _, file := range all() {
			short := strings.TrimPrefix(strings.TrimPrefix(file, cache), repo)
			t.Run(verb+" "+short, func(t *testing.T) {
				if _, err := os.Stat(file); err != nil {
					return // a signature that was made again has another name
				}
				flip(t, file)
				check(t)
			})
		}
	}
}

// TestFlippedPackages flips a bit in each Debian package in the cache, and makes the base again.
func TestFlippedPackages(t *testing.T) {
	mirror, repo, cache := debiantest.Mirror(t), helloRepo(t), t.TempDir()
	o := options(t, repo, func(o *settings) {
		o.Cache, o.Config.Debian.Mirror, o.Config.Defaults.Base = cache, mirror, plan.BaseStatic
		o.Config.Release.Key = newKey(t)
	})
	locked := must(build.Lock(t.Context(), o.Options)).Lock.Debian[0].Packages
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "locked")
	git(t, repo, "tag", "v2.0.0")
	want := image(t, repo, o).Images[0].Digest
	packages := filesBelow(t, filepath.Join(cache, "debian"))
	if len(packages) == 0 {
		t.Fatal("no package is in the cache")
	}
	fetched := 0 // again
	for _, file := range packages {
		sum := hashOf(t, file)
		flip(t, file)
		ok(t, os.RemoveAll(filepath.Join(cache, "content"))) // so that the packages are read
		if got := image(t, repo, o).Images[0].Digest; got != want {
			t.Errorf("%s: the image is %s, and was %s", filepath.Base(file), got, want)
		}
		if hashOf(t, file) == sum {
			fetched++
		}
	}
	used := 0
	for _, p := range locked {
		if p.Architecture != "arm64" {
			used++
		}
	}
	if fetched < used {
		t.Errorf("%d packages were fetched again, and %d are used", fetched, used)
	}
	for _, file := range packages {
		flip(t, file)
	}
	ok(t, os.RemoveAll(filepath.Join(cache, "content")))
	if got := must(build.Release(t.Context(), o.release())).Images[0].Digest; got != want {
		t.Errorf("the release is %s, and the image was %s", got, want)
	}
}

// A symlink or a folder in place of what was linked is linked again: the go command follows a
// symlink, and finds a changed file up to date behind it.
func TestSymlinkInPlaceOfTheBinary(t *testing.T) {
	testtool.OnRequest(t, "it builds several times with an empty cache")
	repo, cache := helloRepo(t), t.TempDir()
	o := options(t, repo, func(o *settings) { o.Cache = cache })
	want := image(t, repo, o).Images[0].Digest
	linked, err := filepath.Glob(filepath.Join(cache, "bin", "*", "linux_amd64", "hello"))
	if err != nil || len(linked) != 1 {
		t.Fatalf("linked are %q, %v", linked, err)
	}
	for name, replace := range map[string]func(path string) error{
		"symlink": func(path string) error {
			other := filepath.Join(t.TempDir(), "other")
			if err := os.Rename(path, other); err != nil {
				return err
			}
			flip(t, other)
			return os.Symlink(other, path)
		},
		"folder": func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.MkdirAll(filepath.Join(path, "in"), 0o755)
		},
	} {
		ok(t, replace(linked[0]))
		if got := image(t, repo, o).Images[0].Digest; got != want {
			t.Errorf("%s: the image is %s, and was %s", name, got, want)
		}
	}
}
