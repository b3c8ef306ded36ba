package distfolder

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// outputFolder is an output folder with a manifest.json.
func outputFolder(t *testing.T, manifest string) *Folder {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ManifestName), []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	folder, err := Open(dir, ".")
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
		for what, img := range map[string]report.ImageResult{
			"a layout": {Layout: outside},
			"a binary": {Platforms: []report.PlatformResult{{Binary: report.Binary{Path: outside}}}},
			"an SBOM":  {Platforms: []report.PlatformResult{{SBOM: &report.SBOM{SPDX: outside}}}},
		} {
			m := &report.Manifest{Plan: &plan.Plan{}, Images: []report.ImageResult{img}}
			if _, err := outputFolder(t, "").Build(t.Context(), "x", m); err == nil || !strings.Contains(err.Error(), "is not in the output folder") {
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
		if _, err := outputFolder(t, manifest).Manifest(ManifestName); !errors.Is(err, limit.ErrTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if m, err := outputFolder(t, `{"plan":{},"images":[{}]}`).Manifest(ManifestName); err != nil || len(m.Images) != 1 {
		t.Errorf("a small one: %v, %v", m, err)
	}
}
