package kube

import (
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/yamlscalar"
)

// Docker Hub has several names, and a main package can be written by its path in the module.
func TestNames(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	from := source{shown: "the release v1", module: "example.com/acme", images: []image{
		{"api", "example.com/acme/cmd/api", []string{"docker.io/acme/api"}, digest},
		{"one", "example.com/acme/cmd/two", []string{"ghcr.io/acme/one"}, digest},
		{"two", "example.com/acme/cmd/two", []string{"ghcr.io/acme/two"}, digest},
		{"nowhere", "example.com/acme", nil, digest},
	}}
	hub := "docker.io/acme/api@" + digest
	for value, want := range map[string]string{
		"acme/api": hub, "acme/api:v1": hub, "docker.io/acme/api:v1": hub, "index.docker.io/acme/api": hub,
		"acme/api@" + digest: hub, "acme/api2": "acme/api2", "docker.io/api": "docker.io/api", "ghcr.io/acme/api": "ghcr.io/acme/api",
		"ghcr.io/acme/two:v1": "ghcr.io/acme/two@" + digest, "ko://./cmd/api": hub, "ko://example.com/acme/cmd/api ": hub,
		"ko://example.com/acme/cmd/two":   `error: line 1: "ko://example.com/acme/cmd/two" is the main package of several images: one, two; write the full reference of one`,
		"ko://example.com/acme":           "error: line 1: the image nowhere is in no registry; set THIMBLE_REPOSITORY, such as ghcr.io/acme",
		"ko://../acme/cmd/api":            `error: line 1: "ko://../acme/cmd/api" is no image of the release v1, which has ko://example.com/acme, `,
		"ko://example.com/acme/cmd/api:1": `error: line 1: "ko://example.com/acme/cmd/api:1" is no image of the release v1, which has `,
	} {
		got, _, err := yamlscalar.Replace([]byte(`image: "`+value+`"`), choose(from, false))
		if text, refused := strings.CutPrefix(want, "error: "); refused {
			if err == nil || !strings.HasPrefix(err.Error(), text) {
				t.Errorf("%s: %q, %v, want the error %q", value, got, err, text)
			}
		} else if err != nil || string(got) != `image: "`+want+`"` {
			t.Errorf("%s: %s, %v", value, got, err)
		}
	}
}
