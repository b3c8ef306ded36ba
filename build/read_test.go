package build

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/plan"
)

// outputFolder is an output folder with a manifest.json.
func outputFolder(t *testing.T, manifest string) *distfolder.Folder {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, manifestName), []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	folder, err := distfolder.Open(dir, ".")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	return folder
}

// What a build left is read outside of the sandbox: no manifest names a file of the user's.
func TestManifestNamesFilesBesideIt(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	for _, outside := range []string{"../secret", secret, "a/../../secret"} {
		for what, img := range map[string]ImageResult{
			"a layout": {Layout: outside},
			"a binary": {Platforms: []PlatformResult{{Binary: Binary{Path: outside}}}},
			"an SBOM":  {Platforms: []PlatformResult{{SBOM: &SBOM{SPDX: outside}}}},
		} {
			m := &Manifest{Plan: &plan.Plan{}, Images: []ImageResult{img}}
			if _, err := made(t.Context(), "x", outputFolder(t, ""), m); err == nil || !strings.Contains(err.Error(), "is not in the output folder") {
				t.Errorf("%s at %s: %v", what, outside, err)
			}
		}
	}
}

// A manifest.json takes no more memory than that of a real build.
func TestLargeManifest(t *testing.T) {
	for what, manifest := range map[string]string{
		"of blanks":   strings.Repeat(" ", maxManifest) + `{"plan":{},"images":[{}]}`,
		"of nothings": `{"plan":{},"images":[` + strings.Repeat("{},", maxManifestParts) + `{}]}`,
	} {
		if _, err := readManifest(outputFolder(t, manifest), manifestName); !errors.Is(err, limit.ErrTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if m, err := readManifest(outputFolder(t, `{"plan":{},"images":[{}]}`), manifestName); err != nil || len(m.Images) != 1 {
		t.Errorf("a small one: %v, %v", m, err)
	}
}

// The SBOMs of a manifest.json are in its folder, too.
func TestSBOMsOfAManifest(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "dist"), 0o755); err != nil {
		t.Fatal(err)
	}
	document := []byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"a","version":"v1"}]}`)
	for name, content := range map[string][]byte{
		"secret": document, "dist/sbom": document,
		"dist/manifest.json": []byte(`{"plan":{},"images":[{"name":"x","platforms":[{"platform":"linux/amd64","sbom":{"spdx":"sbom","cyclonedx":"sbom"}}]}]}`),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Workdir: dir, Cache: dir, Env: []string{"A=1"}}
	if all, err := SBOMs(t.Context(), o); err != nil || len(all) != 1 || len(all[0].Components) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	manifest := filepath.Join(dir, "dist", "manifest.json")
	b, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, outside := range []string{"../secret", filepath.Join(dir, "secret")} {
		if err := os.WriteFile(manifest, bytes.ReplaceAll(b, []byte(`"sbom"}`), []byte(`"`+outside+`"}`)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := SBOMs(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is not in the output folder") {
			t.Errorf("%s: %v", outside, err)
		}
	}
	if err := os.Remove(manifest); err != nil {
		t.Fatal(err)
	}
	if _, err := SBOMs(t.Context(), o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a manifest: %v", err)
	}
}
