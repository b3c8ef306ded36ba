package build_test

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// helloRepo is a copy of a module of testdata/modules in a git repository, tagged.
func helloRepo(t *testing.T) string {
	t.Helper()
	repo := filepath.Join(t.TempDir(), "repo")
	if err := os.CopyFS(repo, os.DirFS(filepath.Join("..", "testdata", "modules", "hello"))); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"README.md": "# hello\n", "LICENSE": "nobody's\n"} {
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a commit")
	git(t, repo, "tag", "v1.2.3")
	return repo
}

func archiveOptions(t *testing.T, repo string, platforms ...string) settings {
	return settings{SkipTests: true, Options: build.Options{
		Workdir: repo, Cache: cacheFolder(t), Env: environment(),
		Config: build.Config{Release: build.ReleaseConfig{ArchivePlatforms: platforms}},
	}}
}

// unpack unpacks an archive as its users do, and returns the folder that was in it.
func unpack(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	tool := []string{"tar", "-xzf", file, "-C", dir}
	if filepath.Ext(file) == ".zip" {
		tool = []string{"unzip", "-q", file, "-d", dir}
	}
	testtool.Program(t, tool[0])
	if out, err := testtool.Command(t, tool[0], tool[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", tool, err, out)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%s holds %v, want one folder; %v", file, entries, err)
	}
	return filepath.Join(dir, entries[0].Name())
}

// TestArchivePlatforms releases archives for systems that have no image.
func TestArchivePlatforms(t *testing.T) {
	testtool.OnRequest(t, "tar and unzip, and compiles for five platforms")
	o := archiveOptions(t, helloRepo(t), "darwin/arm64", "windows/amd64", "linux/arm64")
	r, err := build.Release(t.Context(), o.release())
	if err != nil {
		t.Fatal(err)
	}

	// The images are linux's alone, and a platform that has one is not made twice.
	var images, archives []string
	for _, p := range r.Images[0].Platforms {
		images = append(images, p.Platform.String())
	}
	for _, a := range r.Archives {
		archives = append(archives, a.Path)
	}
	if want := []string{"linux/amd64", "linux/arm64"}; !slices.Equal(images, want) {
		t.Errorf("images are for %q, want %q", images, want)
	}
	if want := []string{
		"archives/hello_1.2.3_linux_amd64.tar.gz", "archives/hello_1.2.3_linux_arm64.tar.gz",
		"archives/hello_1.2.3_darwin_arm64.tar.gz", "archives/hello_1.2.3_windows_amd64.zip",
	}; !slices.Equal(archives, want) {
		t.Errorf("archives are %q, want %q", archives, want)
	}
	if want := []plan.Platform{{OS: "darwin", Architecture: "arm64"}, {OS: "windows", Architecture: "amd64"}}; !slices.Equal(r.Plan.ArchivePlatforms, want) {
		t.Errorf("the plan has the archive platforms %v, want %v", r.Plan.ArchivePlatforms, want)
	}

	sums, err := os.ReadFile(filepath.Join(r.Dist, "archives", "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range r.Archives {
		if !strings.Contains(string(sums), a.SHA256+"  "+filepath.Base(a.Path)+"\n") {
			t.Errorf("checksums.txt does not have %s", a.Path)
		}
		folder := unpack(t, filepath.Join(r.Dist, filepath.FromSlash(a.Path)))
		name := a.Platform.Executable("hello")
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range files {
			names = append(names, f.Name())
		}
		if want := []string{"LICENSE", "README.md", "THIRD_PARTY_LICENSES", name}; !slices.Equal(names, want) {
			t.Errorf("%s holds %q, want %q", a.Path, names, want)
		}
		checkBinary(t, filepath.Join(folder, name), r.Plan, a.Platform)
		checkArchiveSBOM(t, r, a, folder)
	}

	// Nothing changed: the same bytes.
	before := r.Archives
	if r, err = build.Release(t.Context(), o.release()); err != nil {
		t.Fatal(err)
	}
	for i, a := range r.Archives {
		if a.SHA256 != before[i].SHA256 {
			t.Errorf("%s is another file the second time", a.Path)
		}
	}
}

// checkBinary reads a binary as the go command does.
func checkBinary(t *testing.T, file string, p *plan.Plan, platform plan.Platform) {
	t.Helper()
	out, err := testtool.Command(t, "go", "version", "-m", file).CombinedOutput()
	if err != nil {
		t.Fatalf("go version -m: %v\n%s", err, out)
	}
	for _, want := range append(platform.Env(), "vcs.revision="+p.Revision, "vcs.modified=false", "-trimpath=true", "CGO_ENABLED=0") {
		if !bytes.Contains(out, []byte("\tbuild\t"+want+"\n")) {
			t.Errorf("the binary for %s has no %q:\n%s", platform, want, out)
		}
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Main.Version != "v1.2.3" {
		t.Errorf("the binary for %s has the version %q", platform, info.Main.Version)
	}
}

// checkArchiveSBOM finds in an archive's SPDX document the very binary that is in the
// archive.
func checkArchiveSBOM(t *testing.T, r *build.Result, a report.ArchiveResult, folder string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.Dist, filepath.FromSlash(a.SBOM.SPDX)))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Files []struct {
			FileName  string `json:"fileName"`
			Checksums []struct {
				Algorithm string `json:"algorithm"`
				Value     string `json:"checksumValue"`
			} `json:"checksums"`
		} `json:"files"`
	}
	if err := json.Unmarshal(b, &document); err != nil {
		t.Fatal(err)
	}
	name := a.Platform.Executable("hello")
	binary, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%x", sha256.Sum256(binary))
	for _, f := range document.Files {
		for _, c := range f.Checksums {
			if filepath.Base(f.FileName) == name && c.Algorithm == "SHA256" && c.Value == want {
				if a.Platform.OS == "linux" || f.FileName == "./"+name {
					return
				}
			}
		}
	}
	t.Errorf("%s does not have %s with %s", a.SBOM.SPDX, name, want)
}

// TestArchivePlatformsSeeIgnoredFiles says that the tree is dirty when git does not
// track a file that only an archive's platform compiles.
func TestArchivePlatformsSeeIgnoredFiles(t *testing.T) {
	testtool.OnRequest(t, "the standard library is compiled for another system")
	repo := helloRepo(t)
	for name, text := range map[string]string{".gitignore": "local_windows.go\n", "local_windows.go": "package main\n"} {
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "ignore")
	git(t, repo, "tag", "v1.2.4")
	if _, err := build.Release(t.Context(), archiveOptions(t, repo).release()); err != nil {
		t.Errorf("without windows: %v", err)
	}
	_, err := build.Release(t.Context(), archiveOptions(t, repo, "windows/amd64").release())
	if err == nil || !strings.Contains(err.Error(), "local_windows.go") {
		t.Errorf("release: %v, want an error that names local_windows.go", err)
	}
	o := archiveOptions(t, repo, "windows/amd64")
	o.Platforms = []string{"all"}
	p, err := build.Plan(t.Context(), o.Options)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Dirty || len(p.ArchivePlatforms) != 1 {
		t.Errorf("the plan is dirty: %t, and has the archive platforms %v", p.Dirty, p.ArchivePlatforms)
	}
}

// TestArchivePlatformsRefused refuses a platform before anything is compiled.
func TestArchivePlatformsRefused(t *testing.T) {
	repo := helloRepo(t)
	for platform, want := range map[string]string{
		"windows":           "os/arch",
		"beos/amd64":        "its systems are aix, darwin",
		"darwin/386":        "it has darwin/amd64, darwin/arm64",
		"windows/amd64/v9":  "unknown variant",
		"js/wasm":           "no port",
		"darwin/arm64/v8.7": "unknown variant",
	} {
		_, err := build.Release(t.Context(), archiveOptions(t, repo, platform).release())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "ArchivePlatforms") {
			t.Errorf("%s: %v, want %q", platform, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(repo, "dist", "manifest.json")); err == nil {
		t.Error("something was made")
	}
	twice := archiveOptions(t, repo, "windows/amd64", "windows/amd64/v1")
	if _, err := build.Release(t.Context(), twice.release()); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("twice: %v", err)
	}
}
