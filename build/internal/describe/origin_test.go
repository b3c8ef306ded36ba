package describe

import (
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

func TestSupplier(t *testing.T) {
	tests := []struct{ path, name, url string }{
		{"github.com/prometheus/client_golang", "github.com/prometheus", "https://github.com/prometheus"},
		{"gitlab.com/group/sub/repo", "gitlab.com/group", "https://gitlab.com/group"},
		{"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io", "https://go.opentelemetry.io"},
		{"golang.org/x/sys", "The Go Authors", "https://go.dev"},
		{"std", "The Go Authors", "https://go.dev"},
		{"gopkg.in/yaml.v3", "github.com/go-yaml", "https://github.com/go-yaml"},
		{"gopkg.in/inf/d.v0", "github.com/inf", "https://github.com/inf"},
		{"api", "", ""},
		{"internal/api", "", ""},
	}
	for _, tt := range tests {
		if got := supplier(tt.path); got != (party{tt.name, tt.url}) {
			t.Errorf("%s: %v, want %s, %s", tt.path, got, tt.name, tt.url)
		}
	}
}

func TestModuleSource(t *testing.T) {
	tests := []struct{ path, version, want string }{
		{"github.com/google/uuid", "v1.6.0", "git+https://github.com/google/uuid@v1.6.0"},
		{"github.com/redis/go-redis/v9", "v9.23.0", "git+https://github.com/redis/go-redis@v9.23.0"},
		{"github.com/aws/sdk/service/s3/v2", "v2.1.0", "git+https://github.com/aws/sdk@service/s3/v2.1.0#service/s3"},
		{"github.com/old/thing", "v3.0.0+incompatible", "git+https://github.com/old/thing@v3.0.0"},
		{"github.com/munnerz/goautoneg", "v0.0.0-20191010083416-a7dc8b61c822", "git+https://github.com/munnerz/goautoneg@a7dc8b61c822"},
		{"golang.org/x/crypto", "v0.57.0", "git+https://go.googlesource.com/crypto@v0.57.0"},
		{"golang.org/x/crypto/x509roots/fallback", "v0.0.0-20261030153154-30a33513ff6d", "git+https://go.googlesource.com/crypto@30a33513ff6d#x509roots/fallback"},
		{"gopkg.in/yaml.v3", "v3.0.1", "git+https://gopkg.in/yaml.v3@v3.0.1"},
		{"gitlab.com/group/repo", "v1.0.0", "git+https://gitlab.com/group/repo@v1.0.0"},
		{"gitlab.com/group/sub/repo", "v1.0.0", ""},
		{"std", "go1.26.8", "git+https://go.googlesource.com/go@go1.26.8#src"},
		{"std", "devel go1.27-abcdef", ""},
		{"go.uber.org/zap", "v1.27.0", ""},
		{"github.com/acme", "v1.0.0", ""},
		{"github.com/acme/api", "(devel)", ""},
		{"github.com/acme/api", "v1.0.1-0.20260101000000-abcdefabcdef+dirty", ""},
	}
	for _, tt := range tests {
		if got := moduleSource(tt.path, tt.version).location(); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.path, tt.version, got, tt.want)
		}
	}
}

func TestGitSource(t *testing.T) {
	tests := []struct{ url, want, owner string }{
		{"https://github.com/acme/api.git", "git+https://github.com/acme/api.git@abc", "github.com/acme"},
		{"ssh://git@git.example.com:2222/acme/api", "git+ssh://git@git.example.com:2222/acme/api@abc", "git.example.com"},
		{"git@github.com:acme/api.git", "git+ssh://git@github.com/acme/api.git@abc", "github.com/acme"},
		{"/srv/git/api", "", ""},
		{"file:///srv/git/api", "", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		if got := gitSource(tt.url, "abc").location(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.url, got, tt.want)
		}
		if got := sourceSupplier(tt.url).name; got != tt.owner {
			t.Errorf("%s belongs to %q, want %q", tt.url, got, tt.owner)
		}
	}
}

func TestPURL(t *testing.T) {
	for _, tt := range []struct{ path, version, want string }{
		{"github.com/BurntSushi/toml", "v1.4.0", "pkg:golang/github.com/burntsushi/toml@v1.4.0"},
		{"github.com/old/thing", "v3.0.0+incompatible", "pkg:golang/github.com/old/thing@v3.0.0%2Bincompatible"},
		{"std", "go1.26.8", "pkg:golang/std@1.26.8"},
		{"std", "go1.26.8 X:greenteagc", "pkg:golang/std@1.26.8"},
		{"std", "devel go1.27-abcdef", "pkg:golang/std"},
		{"api", "(devel)", "pkg:golang/api"},
	} {
		if got, err := modulePURL(tt.path, tt.version); err != nil || got != tt.want {
			t.Errorf("%s %s: %s, %v; want %s", tt.path, tt.version, got, err, tt.want)
		}
	}
	if got, err := modulePURL("", ""); err == nil {
		t.Errorf("a module without a path has package URL %s", got)
	}
	image := plan.Image{Name: "api"}
	if got, err := imagePURL(image, plan.Platform{OS: "linux", Architecture: "arm64"}, "/app/api"); err != nil || got != "pkg:oci/api?arch=arm64#app/api" {
		t.Errorf("image: %s, %v", got, err)
	}
}

func TestIdentity(t *testing.T) {
	if a, b := elementID("File", "/a/b"), elementID("File", "/a-b"); a == b {
		t.Errorf("two files are %s", a)
	}
	// As `uuidgen --sha1 --namespace @url --name …` gives it for the URL of no content.
	if got, want := contentUUID("spdx", nil), "0e1026c2-e95b-5115-b36e-98e95fc4b472"; got != want {
		t.Errorf("UUID %s, want %s", got, want)
	}
}
