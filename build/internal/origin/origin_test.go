package origin

import "testing"

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
		if got := Supplier(tt.path); got != (Party{tt.name, tt.url}) {
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
		if got := ModuleSource(tt.path, tt.version).Location(); got != tt.want {
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
		if got := GitSource(tt.url, "abc").Location(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.url, got, tt.want)
		}
		if got := Owner(tt.url).Name; got != tt.owner {
			t.Errorf("%s belongs to %q, want %q", tt.url, got, tt.owner)
		}
	}
}
