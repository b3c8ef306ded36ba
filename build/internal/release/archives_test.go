package release_test

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/release"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// Archives lie beside their SBOMs, with signed checksums of all. What an earlier run has left
// of the same files stays; anything else there is made again.
func TestArchives(t *testing.T) {
	s := open(t)
	p := &plan.Plan{Version: "v1.2.3", SourceDateEpoch: 1767323045, Source: "https://github.com/acme/api"}
	signer, err := signing.DevelopmentSigner(s)
	ok(t, err)
	content := []byte("a program")
	in := release.ArchiveInput{Own: []archive.Entry{{Name: "LICENSE.md", Data: []byte("nobody's\n")}}, Previous: "v1.2.2", Commits: []archive.Commit{{Hash: strings.Repeat("ab", 20), Subject: "api: it answers"}}}
	for _, platform := range []plan.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "windows", Architecture: "amd64"}} {
		in.Programs = append(in.Programs, release.Program{
			Image: "api", Platform: platform, Executables: []release.Executable{{
				Name: platform.Executable("api"), SHA256: "of the program", Size: int64(len(content)),
				Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
			}},
			SPDX: []byte("spdx"), CycloneDX: []byte("cyclonedx"), Components: 2,
		})
	}
	kept, made := map[string][]byte{}, 0
	memo := func(key string, make func() ([]byte, error)) ([]byte, error) {
		if b, ok := kept[key]; ok {
			return b, nil
		}
		made++
		b, err := make()
		kept[key] = b
		return b, err
	}
	write := func() []report.ArchiveResult {
		t.Helper()
		dist, err := publish.Open(t.Context(), s.Dist, nil, filesum.Sums{})
		ok(t, err)
		defer dist.Close()
		all, err := release.Archives(t.Context(), s, p, signer, dist, memo, in)
		ok(t, err)
		ok(t, dist.Commit(t.Context(), []byte("{}\n")))
		return all
	}
	first := write()
	names := map[string]string{}
	for _, a := range first {
		names[a.Path] = a.SHA256
	}
	if want := []string{"archives/api_1.2.3_linux_amd64.tar.gz", "archives/api_1.2.3_windows_amd64.zip"}; !slices.Equal(slices.Sorted(maps.Keys(names)), want) {
		t.Errorf("the archives are %v, want %q", names, want)
	}
	read := func(name string) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(s.Dist, filepath.FromSlash(name)))
		ok(t, err)
		return b
	}
	sums := read("archives/checksums.txt")
	if lines := strings.Count(string(sums), "\n"); lines != 2*3 {
		t.Errorf("there are %d checksums:\n%s", lines, sums)
	}
	if _, err := attest.VerifyBlob(sums, read("archives/checksums.txt.sigstore.json"), signer.Trust); err != nil {
		t.Errorf("the checksums: %v", err)
	}
	if notes := string(read("archives/notes.md")); !strings.Contains(notes, "api: it answers") || !strings.Contains(notes, "v1.2.2") {
		t.Errorf("the notes:\n%s", notes)
	}

	archived := read(first[0].Path)
	bundle := read("archives/checksums.txt.sigstore.json")
	ok(t, os.WriteFile(filepath.Join(s.Dist, filepath.FromSlash(first[0].Path)), []byte("another"), 0o644))
	if again := write(); !reflect.DeepEqual(again, first) || made != 2 {
		t.Errorf("the second time there are %+v, and %d were made; want %+v", again, made, first)
	}
	if !bytes.Equal(read(first[0].Path), archived) || !bytes.Equal(read("archives/checksums.txt.sigstore.json"), bundle) {
		t.Error("the second time the files are others")
	}
}
