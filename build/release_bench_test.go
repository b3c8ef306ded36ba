package build_test

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/thimble-build/thimble/build"
)

// BenchmarkRelease releases sample-service for two platforms once more, with nothing
// changed, to a registry in this process, with tests and a key. With -v it shows the
// stages of the last one.
func BenchmarkRelease(b *testing.B) {
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	repo := sampleService(b)
	o := settings{Options: build.Options{
		Workdir: repo, Cache: filepath.Join(b.TempDir(), "cache"), Env: environment("COSIGN_PASSWORD=bench"),
		Config: build.Config{
			Repository: strings.TrimPrefix(server.URL, "http://") + "/acme",
			Release:    build.ReleaseConfig{Key: "cosign.key"},
		},
	}}
	if err := os.WriteFile(filepath.Join(repo, ".git", "info", "exclude"), []byte("cosign.*\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	if _, _, err := build.Keys(b.Context(), o.Options, "cosign"); err != nil {
		b.Fatal(err)
	}
	release := func() *build.Result {
		r, err := build.Release(b.Context(), o.release())
		if err != nil {
			b.Fatal(err)
		}
		return r
	}
	release()
	b.ReportAllocs()
	var last *build.Result
	for b.Loop() {
		last = release()
	}
	if testing.Verbose() {
		var stages []string
		for _, s := range last.Stages {
			stages = append(stages, fmt.Sprintf("%s %v", s.Name, s.Elapsed.Round(1e6)))
		}
		b.Logf("%s: %v", last.Elapsed, strings.Join(stages, ", "))
	}
}
