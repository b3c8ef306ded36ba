package build_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/plan"
)

// TestDistrolessStatic locks and builds on packages of the real archive. What syft finds
// in the image is what is locked, and Docker runs it.
func TestDistrolessStatic(t *testing.T) {
	requireDocker(t)
	mirror := debiantest.Mirror(t)
	repo := sampleService(t)
	o := settings{SkipTests: true, Options: build.Options{
		Workdir: repo, Cache: t.TempDir(), Platforms: []string{"linux/amd64"},
		Env: environment("THIMBLE_BASE="+plan.BaseStatic, "THIMBLE_DEBIAN_MIRROR="+mirror),
		Config: build.Config{
			Repository: "distroless.test", Defaults: build.ImageConfig{Runtime: build.Runtime{Args: []string{"serve"}}},
		},
	}}
	locked := must(build.Lock(t.Context(), o.Options))
	loaded := o
	loaded.Load = true
	r := image(t, repo, loaded)
	p := r.Images[0].Platforms[0]
	if len(p.Layers) != 2 || p.Layers[0].Name != "base" {
		t.Errorf("layers: %+v", p.Layers)
	}
	if !p.Binary.Static {
		t.Error("the binary is not static")
	}
	for _, n := range p.Needs {
		if n.Name != plan.NeedExec && !n.InBase {
			t.Errorf("%s is not served by the base", n.Name)
		}
	}
	sbom := must(os.ReadFile(filepath.Join(r.Dist, p.SBOM.SPDX)))
	for _, pkg := range locked.Lock.Debian[0].Packages {
		if pkg.Architecture != "arm64" && !bytes.Contains(sbom, []byte("pkg:deb/debian/"+pkg.Name+"@")) {
			t.Errorf("the SBOM lacks %s", pkg.Name)
		}
	}
	scanned(t, r)

	ref := r.Images[0].Reference
	t.Cleanup(func() { removeImage(ref) })
	c := runContainer(t, ref, "--cap-drop=ALL", "--read-only", "--tmpfs=/tmp", "--security-opt=no-new-privileges")
	for _, path := range []string{"/healthz", "/time?zone=Europe/Berlin", "/version"} {
		if status, body := c.ask(t, "GET", path); status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if user := strings.TrimSpace(docker(t, "inspect", "--format", "{{.Config.User}}", c.id)); user != "65532:65532" {
		t.Errorf("it runs as %s", user)
	}
	c.stop(t)

	// Another cache, the same lock; then without a mirror.
	cold := o
	cold.Cache = t.TempDir()
	if again := image(t, repo, cold); again.Images[0].Digest != r.Images[0].Digest {
		t.Errorf("a cold cache gives %s, not %s", again.Images[0].Digest, r.Images[0].Digest)
	}
	o.Env = environment("THIMBLE_BASE="+plan.BaseStatic, "THIMBLE_DEBIAN_MIRROR=http://127.0.0.1:1")
	if again := image(t, repo, o); again.Images[0].Digest != r.Images[0].Digest {
		t.Errorf("without a mirror it is %s, not %s", again.Images[0].Digest, r.Images[0].Digest)
	}
}
