package build_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/plan"
)

// Options.Offline holds for bases in the Go API too, where nobody has closed the whole
// process: what would be fetched is named, and nothing is asked.
func TestBaseOffline(t *testing.T) {
	repo := helloModule(t)
	hash := strings.Repeat("ab", 32)
	pinned := fmt.Sprintf(`{"version": 1,
		"debian": [{"suite": "trixie",
			"indexes": [{"archive": "debian", "suite": "trixie", "date": "2026-11-21T09:15:44Z"}],
			"selections": [{"base": "distroless/static", "architecture": "amd64", "packages": ["netbase=6.5"]}],
			"packages": [{"name": "netbase", "version": "6.5", "architecture": "all", "source": "netbase", "sourceVersion": "6.5",
				"maintainer": "M", "archive": "debian", "path": "pool/main/n/netbase/netbase_6.5_all.deb", "size": 12436, "sha256": %q}]}],
		"images": [{"reference": "registry.example.com/acme/base:1", "digest": %q, "mediaType": "application/vnd.oci.image.index.v1+json",
			"platforms": [{"platform": "linux/amd64", "digest": %q, "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 500}]}]}`,
		hash, "sha256:"+hash, "sha256:"+hash)
	if err := os.WriteFile(filepath.Join(repo, "thimble.lock.json"), []byte(pinned), 0o644); err != nil {
		t.Fatal(err)
	}
	o := settings{SkipTests: true, Options: build.Options{Workdir: repo, Cache: t.TempDir(), Platforms: []string{"linux/amd64"}, Offline: true}}
	lock := func(o settings) error { _, err := build.Lock(t.Context(), o.Options); return err }
	image := func(o settings) error { _, err := build.Image(t.Context(), o.image()); return err }
	for _, test := range []struct {
		base, want string
		run        func(settings) error
	}{
		{plan.BaseStatic, "mirror.example.com", lock},
		{plan.BaseStatic, "package netbase 6.5: fetch http://mirror.example.com/debian/pool/main/n/netbase/netbase_6.5_all.deb: ", image},
		{"registry.example.com/acme/base:1", "registry.example.com", lock},
		{"registry.example.com/acme/base:1", "registry.example.com", image},
	} {
		o.Env = environment("THIMBLE_BASE="+test.base, "THIMBLE_DEBIAN_MIRROR=http://mirror.example.com")
		err := test.run(o)
		if !errors.Is(err, build.ErrOffline) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one that names %s", test.base, err, test.want)
		}
	}
}

// A base whose configuration names another content than its layer has would be refused by
// whoever unpacks it, and is by us.
func TestBaseWithWrongDiffID(t *testing.T) {
	repo := helloModule(t)
	base := baseImage(t, "amd64")
	config := must(base.ConfigFile()).DeepCopy()
	right := config.RootFS.DiffIDs[0]
	config.RootFS.DiffIDs[0].Hex = strings.Repeat("0", 64)
	folder, err := layout.Write(filepath.Join(repo, "base"), empty.Index)
	ok(t, err)
	ok(t, folder.AppendImage(must(mutate.ConfigFile(base, config))))
	o := options(t, repo, func(o *settings) { o.Config.Defaults.Base = "oci:base" })
	must(build.Lock(t.Context(), o.Options))
	_, err = build.Image(t.Context(), o.image())
	refused(t, err, "base oci:base: layer sha256:", "its content is "+right.String()+", but the configuration says sha256:0000")
	if _, err := os.Stat(filepath.Join(repo, "dist")); err == nil {
		t.Error("there is an output folder")
	}
}
