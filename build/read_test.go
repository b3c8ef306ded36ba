package build

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// What a build left is read outside of the sandbox: no manifest names a file of the user's.
func TestManifestNamesFilesBesideIt(t *testing.T) {
	dist := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	for _, outside := range []string{"../secret", secret, "a/../../secret"} {
		for _, p := range []PlatformResult{{Binary: Binary{Path: outside}}, {SBOM: &SBOM{SPDX: outside}}} {
			m := &Manifest{Plan: &plan.Plan{}, Images: []ImageResult{{Platforms: []PlatformResult{p}}}}
			if _, err := made("x", filepath.Join(dist, "manifest.json"), m); err == nil || !strings.Contains(err.Error(), "not beside it") {
				t.Errorf("%+v: %v", p, err)
			}
		}
	}
}
