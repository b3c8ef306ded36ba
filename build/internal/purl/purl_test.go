package purl

import (
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

func TestPURL(t *testing.T) {
	for _, tt := range []struct{ path, version, want string }{
		{"github.com/BurntSushi/toml", "v1.4.0", "pkg:golang/github.com/burntsushi/toml@v1.4.0"},
		{"github.com/old/thing", "v3.0.0+incompatible", "pkg:golang/github.com/old/thing@v3.0.0%2Bincompatible"},
		{"std", "go1.26.8", "pkg:golang/std@1.26.8"},
		{"std", "go1.26.8 X:greenteagc", "pkg:golang/std@1.26.8"},
		{"std", "devel go1.27-abcdef", "pkg:golang/std"},
		{"api", "(devel)", "pkg:golang/api"},
	} {
		if got, err := Module(tt.path, tt.version); err != nil || got != tt.want {
			t.Errorf("%s %s: %s, %v; want %s", tt.path, tt.version, got, err, tt.want)
		}
	}
	if got, err := Module("", ""); err == nil {
		t.Errorf("a module without a path has package URL %s", got)
	}
	image := plan.Image{Name: "api"}
	if got, err := Image(image, plan.Platform{OS: "linux", Architecture: "arm64"}, "/app/api"); err != nil || got != "pkg:oci/api?arch=arm64#app/api" {
		t.Errorf("image: %s, %v", got, err)
	}
	image.Repository, image.Tags = "registry.example.com/acme/API", []string{"v1.2.3"}
	const tagged = "pkg:oci/api?arch=arm64&repository_url=registry.example.com%2Facme%2FAPI&tag=v1.2.3"
	if got, err := Image(image, plan.Platform{OS: "linux", Architecture: "arm64"}, ""); err != nil || got != tagged {
		t.Errorf("image with a repository: %s, %v", got, err)
	}
	const pinned = "pkg:oci/api@sha256:abcd?repository_url=registry.example.com%2Facme%2FAPI"
	if got, err := Digest(image.Repository, "sha256:abcd"); err != nil || got != pinned {
		t.Errorf("digest: %s, %v", got, err)
	}
}
