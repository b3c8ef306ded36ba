package build_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
)

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
	o := settings{Options: build.Options{Workdir: dir, Cache: dir, Env: []string{"A=1"}}}
	if all, err := build.SBOMs(t.Context(), o.Options); err != nil || len(all) != 1 || len(all[0].Components) != 1 {
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
		if _, err := build.SBOMs(t.Context(), o.Options); err == nil || !strings.Contains(err.Error(), "is not in the output folder") {
			t.Errorf("%s: %v", outside, err)
		}
	}
	if err := os.Remove(manifest); err != nil {
		t.Fatal(err)
	}
	if _, err := build.SBOMs(t.Context(), o.Options); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a manifest: %v", err)
	}
}
