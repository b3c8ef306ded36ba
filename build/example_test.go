package build_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/thimble-build/thimble/build"
	_ "github.com/thimble-build/thimble/build/signing"
)

// Image needs no registry and no container engine. The image is in dist/, as an OCI layout.
func ExampleImage() {
	repository, remove := exampleRepository()
	defer remove()
	result, err := build.Image(context.Background(), build.ImageOptions{Options: build.Options{
		Workdir:   repository,
		Config:    build.Config{Repository: "ghcr.io/acme"},
		Platforms: []string{"linux/amd64"},
		Env:       environment(),
	}})
	if err != nil {
		log.Fatal(err)
	}
	for _, image := range result.Images {
		fmt.Println(image.Reference, "in", image.Layout)
		for _, p := range image.Platforms {
			fmt.Println(p.Platform, "static:", p.Binary.Static, "base:", p.Base)
		}
	}
	// Output:
	// ghcr.io/acme/hello:v1.0.0 in oci/hello
	// linux/amd64 static: true base: scratch
}

// Release pushes, signs and reads everything back before it sets the tag. Verify then checks
// what a deployer would check.
func ExampleRelease() {
	ctx := context.Background()
	repository, remove := exampleRepository()
	defer remove()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()

	options := build.Options{
		Workdir:   repository,
		Env:       environment("COSIGN_PASSWORD=secret"),
		Platforms: []string{"linux/amd64"},
	}
	private, public, err := build.Keys(ctx, options, filepath.Join(filepath.Dir(repository), "acme"))
	if err != nil {
		log.Fatal(err)
	}
	options.Config = build.Config{
		Repository: strings.TrimPrefix(server.URL, "http://") + "/acme",
		Release:    build.ReleaseConfig{Key: private, OmitArchives: true},
	}
	result, err := build.Release(ctx, build.ReleaseOptions{Options: options})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Images[0].Name, result.Images[0].Tags)

	report, err := build.Verify(ctx, build.VerifyOptions{Options: options, Keys: []string{public}}, result.Images[0].Reference)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("verified:", report.Digest == result.Images[0].Digest)
	// Output:
	// hello [v1.0.0]
	// verified: true
}

// Verify requires a key or an identity: a signature by anybody proves nothing.
func ExampleVerify() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "thimble-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	_, err = build.Verify(ctx, build.VerifyOptions{Options: build.Options{Workdir: folder, Env: environment()}}, "oci:"+folder)
	fmt.Println(err)
	// Output:
	// verify: whose signature is expected? give a public key with -key=cosign.pub, or -identity, -issuer and -trustedRoot
}

// exampleRepository returns a git repository with a Go program and the tag v1.0.0, and a
// function that removes it.
func exampleRepository() (dir string, remove func()) {
	folder, err := os.MkdirTemp("", "thimble-example-")
	if err != nil {
		log.Fatal(err)
	}
	dir = filepath.Join(folder, "hello")
	err = os.CopyFS(dir, os.DirFS(filepath.Join("..", "testdata", "modules", "hello")))
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-q", "-m", "Hello"}, {"tag", "v1.0.0"}} {
		git := exec.Command("git", args...)
		git.Dir, git.Env = dir, environment()
		err = errors.Join(err, git.Run())
	}
	if err != nil {
		log.Fatal(err)
	}
	return dir, func() { os.RemoveAll(folder) }
}
