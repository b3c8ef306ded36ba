package baseimage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/plan"
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// gzipped is a layer with one file.
func gzipped(t testing.TB, content string) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "file", Mode: 0o644, Size: int64(len(content))})
	if err == nil {
		_, err = io.WriteString(w, content)
	}
	if err = errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return must[v1.Layer](t)(tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }))
}

// imageFor is an OCI image with two layers.
func imageFor(t testing.TB, platform string) v1.Image {
	t.Helper()
	p := must[*v1.Platform](t)(v1.ParsePlatform(platform))
	img := must[v1.Image](t)(mutate.ConfigFile(mutate.MediaType(empty.Image, types.OCIManifestSchema1), &v1.ConfigFile{
		OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, RootFS: v1.RootFS{Type: "layers"}, Config: v1.Config{User: platform},
	}))
	return must[v1.Image](t)(mutate.AppendLayers(img, gzipped(t, platform), gzipped(t, "above "+platform)))
}

// folderOf is a layout with images, each with its platform in index.json where there are
// several.
func folderOf(t testing.TB, images ...v1.Image) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	l := must[layout.Path](t)(layout.Write(dir, empty.Index))
	for _, img := range images {
		var o []layout.Option
		if len(images) > 1 {
			config := must[*v1.ConfigFile](t)(img.ConfigFile())
			o = append(o, layout.WithPlatform(*config.Platform()))
		}
		if err := l.AppendImage(img, o...); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func storeIn(t testing.TB) *Store {
	t.Helper()
	return &Store{
		Abs:         func(p string) string { return p },
		Cache:       must[*cache.Cache](t)(cache.Open(t.TempDir(), cache.Options{})),
		Compression: plan.Gzip,
	}
}

func platforms(t testing.TB, all ...string) (parsed []plan.Platform) {
	t.Helper()
	for _, p := range all {
		parsed = append(parsed, must[plan.Platform](t)(plan.ParsePlatform(p)))
	}
	return parsed
}

// Each platform gets its own image of an index, and of variants the last that it runs.
func TestPlatforms(t *testing.T) {
	dir := folderOf(t, imageFor(t, "linux/amd64"), imageFor(t, "linux/arm/v5"), imageFor(t, "linux/arm/v6"), imageFor(t, "linux/s390x"))
	s := storeIn(t)
	wanted := platforms(t, "linux/amd64", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5", "linux/s390x")
	l := must[plan.ImageLock](t)(s.Lock(t.Context(), "oci:"+dir, wanted))
	users := []string{"linux/amd64", "linux/arm/v6", "linux/arm/v6", "linux/arm/v5", "linux/s390x"}
	for i, p := range wanted {
		img := must[*Image](t)(s.Image(t.Context(), l, p))
		if img.Config.Config.User != users[i] || img.Digest.String() != l.Platforms[i].Digest || len(img.Layers) != 2 {
			t.Errorf("%s gets the image of %s, %s", p, img.Config.Config.User, img.Digest)
		}
	}
	// What it has not is named, and the rest is pinned.
	l, err := s.Lock(t.Context(), "oci:"+dir, platforms(t, "linux/riscv64", "linux/s390x", "linux/amd64/v3"))
	if missing := new(MissingError); !errors.As(err, &missing) || len(missing.Platforms) != 1 || len(l.Platforms) != 2 ||
		!strings.HasSuffix(err.Error(), "has no image for linux/riscv64; it has linux/amd64, linux/arm/v5, linux/arm/v6, linux/s390x") {
		t.Errorf("Lock gives %+v, %v", l.Platforms, err)
	}
	if _, err := s.Image(t.Context(), l, plan.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}); err == nil || !strings.Contains(err.Error(), "it is not in the lock") {
		t.Errorf("Image gives %v", err)
	}
}

// Layers come as they are, under OCI's names.
func TestLayersAsTheyAre(t *testing.T) {
	base := imageFor(t, "linux/amd64")
	uncompressed := static.NewLayer(bytes.Repeat([]byte{0}, 1024), types.DockerUncompressedLayer)
	base = must[v1.Image](t)(mutate.AppendLayers(mutate.MediaType(base, types.DockerManifestSchema2), uncompressed))
	s := storeIn(t)
	l := must[plan.ImageLock](t)(s.Lock(t.Context(), "oci:"+folderOf(t, base), platforms(t, "linux/amd64")))
	img := must[*Image](t)(s.Image(t.Context(), l, plan.Platform{OS: "linux", Architecture: "amd64"}))
	manifest := must[*v1.Manifest](t)(base.Manifest())
	for i, layer := range img.Layers {
		digest, kind := must[v1.Hash](t)(layer.Digest()), must[types.MediaType](t)(layer.MediaType())
		want := []types.MediaType{types.OCILayer, types.OCILayer, types.OCIUncompressedLayer}[i]
		if digest != manifest.Layers[i].Digest || kind != want {
			t.Errorf("layer %d is %s %s", i, kind, digest)
		}
	}
}

// tamper changes a blob of a layout under its name.
func tamper(t testing.TB, dir string, digest v1.Hash, change func([]byte) []byte) {
	t.Helper()
	file := filepath.Join(dir, "blobs", digest.Algorithm, digest.Hex)
	b := must[[]byte](t)(os.ReadFile(file))
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, change(bytes.Clone(b)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func flip(b []byte) []byte { b[len(b)/2] ^= 1; return b }

// Whoever keeps an image cannot put anything else into it: each part has its digest, down
// from that of the lock. What was refused is not kept: whole again, it is taken.
func TestTamperedImage(t *testing.T) {
	img := imageFor(t, "linux/amd64")
	digest, manifest := must[v1.Hash](t)(img.Digest()), must[*v1.Manifest](t)(img.Manifest())
	for name, tc := range map[string]struct {
		digest v1.Hash
		change func([]byte) []byte
		want   string
	}{
		"a manifest":        {digest, flip, "manifest " + digest.String()},
		"no manifest":       {digest, func([]byte) []byte { return nil }, "manifest " + digest.String()},
		"a configuration":   {manifest.Config.Digest, flip, "config " + manifest.Config.Digest.String()},
		"a layer":           {manifest.Layers[1].Digest, flip, "layer " + manifest.Layers[1].Digest.String()},
		"a truncated layer": {manifest.Layers[0].Digest, func(b []byte) []byte { return b[:len(b)-1] }, "bytes instead of"},
		"a longer layer":    {manifest.Layers[0].Digest, func(b []byte) []byte { return append(b, 0) }, "it has more than"},
		"a huge config":     {manifest.Config.Digest, func([]byte) []byte { return make([]byte, ociread.MaxSize+1) }, "the configuration is larger than 4 MiB"},
	} {
		s, dir := storeIn(t), folderOf(t, img)
		l := must[plan.ImageLock](t)(s.Lock(t.Context(), "oci:"+dir, platforms(t, "linux/amd64")))
		before := must[[]byte](t)(os.ReadFile(filepath.Join(dir, "blobs", "sha256", tc.digest.Hex)))
		tamper(t, dir, tc.digest, tc.change)
		_, err := s.Image(t.Context(), l, l.Platforms[0].Platform)
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "base oci:") {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
		if !errors.Is(err, cache.ErrCorrupt) && name != "a huge config" {
			t.Errorf("%s: %v is not that the image was changed", name, err)
		}
		tamper(t, dir, tc.digest, func([]byte) []byte { return before })
		if _, err := s.Image(t.Context(), l, l.Platforms[0].Platform); err != nil {
			t.Errorf("%s, whole again: %v", name, err)
		}
		// From now on the folder is not needed.
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Image(t.Context(), l, l.Platforms[0].Platform); err != nil {
			t.Errorf("%s, with a warm cache: %v", name, err)
		}
	}
}

// put writes a document into a layout as its only image.
func put(t testing.TB, dir string, mediaType types.MediaType, document any) {
	t.Helper()
	b, ok := document.([]byte)
	if !ok {
		b = must[[]byte](t)(json.Marshal(document))
	}
	l := must[layout.Path](t)(layout.FromPath(dir))
	if err := l.WriteBlob(hashOf(b), io.NopCloser(bytes.NewReader(b))); err != nil {
		t.Fatal(err)
	}
	index := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{
		{MediaType: mediaType, Digest: hashOf(b), Size: int64(len(b))},
	}}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), must[[]byte](t)(json.Marshal(index)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What can be no base says why, when it is pinned or when it is used.
func TestMalformedImage(t *testing.T) {
	amd64 := platforms(t, "linux/amd64")
	good := func() (string, *v1.Manifest) {
		img := imageFor(t, "linux/amd64")
		return folderOf(t, img), must[*v1.Manifest](t)(img.Manifest())
	}
	changed := func(change func(*v1.Manifest)) string {
		dir, m := good()
		change(m)
		put(t, dir, types.OCIManifestSchema1, m)
		return "oci:" + dir
	}
	document := func(mediaType types.MediaType, d any) string {
		dir, _ := good()
		put(t, dir, mediaType, d)
		return "oci:" + dir
	}
	noFolder := filepath.Join(t.TempDir(), "nowhere")
	for name, tc := range map[string]struct{ ref, want string }{
		"no folder":                   {"oci:" + noFolder, "file does not exist"},
		"a folder that is no layout":  {"oci:" + t.TempDir(), "read layout"},
		"an empty layout":             {"oci:" + folderOf(t), "it contains no image"},
		"a manifest that is no JSON":  {document(types.OCIManifestSchema1, []byte("{")), "read the manifest"},
		"an index that is no JSON":    {document(types.OCIImageIndex, []byte("[]")), "read the index"},
		"an index without a platform": {document(types.OCIImageIndex, v1.IndexManifest{SchemaVersion: 2}), "its index has no image with a platform"},
		"schema 1":                    {document(types.DockerManifestSchema1, []byte("{}")), "read layout"},
		"more layers than hashes":     {changed(func(m *v1.Manifest) { m.Layers = append(m.Layers, m.Layers[0]) }), "it has 3 layers, but its configuration lists 2"},
		"fewer layers than hashes":    {changed(func(m *v1.Manifest) { m.Layers = m.Layers[:1] }), "it has 1 layers, but its configuration lists 2"},
		"a foreign layer": {changed(func(m *v1.Manifest) { m.Layers[0].MediaType = types.DockerForeignLayer }),
			`it has a layer of type "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", which is not supported in a base`},
		"a layer of another size":    {changed(func(m *v1.Manifest) { m.Layers[0].Size++ }), "bytes instead of"},
		"a layer of no size":         {changed(func(m *v1.Manifest) { m.Layers[0].Size = 0 }), "it has more than 0 bytes"},
		"a layer by another hash":    {changed(func(m *v1.Manifest) { m.Layers[0].Digest.Algorithm = "sha512" }), "read the manifest"},
		"a layer that is not there":  {changed(func(m *v1.Manifest) { m.Layers[0].Digest.Hex = strings.Repeat("0", 64) }), "read layout"},
		"a config that is not there": {changed(func(m *v1.Manifest) { m.Config.Digest.Hex = strings.Repeat("0", 64) }), "read layout"},
		"a config that is a layer":   {changed(func(m *v1.Manifest) { m.Config = m.Layers[0] }), "read the configuration"},
	} {
		s := storeIn(t)
		l, err := s.Lock(t.Context(), tc.ref, amd64)
		if err == nil {
			_, err = s.Image(t.Context(), l, amd64[0])
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
	}
	dir := folderOf(t, imageFor(t, "linux/amd64"))
	if err := must[layout.Path](t)(layout.FromPath(dir)).AppendImage(imageFor(t, "linux/arm64")); err != nil {
		t.Fatal(err)
	}
	if _, err := storeIn(t).Lock(t.Context(), "oci:"+dir, amd64); err == nil || !strings.Contains(err.Error(), "it contains 2 images; put one of them into a separate layout") {
		t.Errorf("of two images without platforms, Lock gives %v", err)
	}
	// Nor is one of two indexes taken, unless they are one under two names.
	two := t.TempDir()
	path := must[layout.Path](t)(layout.Write(two, empty.Index))
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: imageFor(t, "linux/amd64"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	for _, name := range []string{"1", "latest"} {
		if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": name})); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := storeIn(t).Lock(t.Context(), "oci:"+two, amd64); err != nil {
		t.Errorf("of one index under two names, Lock gives %v", err)
	}
	if err := path.AppendIndex(mutate.Annotations(index, map[string]string{"a": "b"}).(v1.ImageIndex)); err != nil {
		t.Fatal(err)
	}
	if _, err := storeIn(t).Lock(t.Context(), "oci:"+two, amd64); err == nil || !strings.Contains(err.Error(), "it contains 2 images; put one of them into a separate layout") {
		t.Errorf("of two indexes, Lock gives %v", err)
	}
}

// A docker archive is its configuration: what else is in it has to fit.
func TestArchive(t *testing.T) {
	img := imageFor(t, "linux/amd64")
	file := filepath.Join(t.TempDir(), "base.tar")
	tag := must[name.Tag](t)(name.NewTag("example.com/base:1"))
	if err := tarball.WriteToFile(file, tag, img); err != nil {
		t.Fatal(err)
	}
	s := storeIn(t)
	l := must[plan.ImageLock](t)(s.Lock(t.Context(), "docker-archive:"+file, platforms(t, "linux/amd64")))
	made := must[*Image](t)(s.Image(t.Context(), l, l.Platforms[0].Platform))
	config := must[*v1.ConfigFile](t)(img.ConfigFile())
	for i, layer := range made.Layers {
		if diffID := must[v1.Hash](t)(layer.DiffID()); diffID != config.RootFS.DiffIDs[i] {
			t.Errorf("layer %d has the content %s", i, diffID)
		}
	}
	if want := must[v1.Hash](t)(img.ConfigName()); l.Digest != want.String() {
		t.Errorf("the lock has %s, want the image's ID %s", l.Digest, want)
	}

	// The same configuration, with another layer in the place of its first.
	whole := must[[]byte](t)(os.ReadFile(file))
	layers := must[[]v1.Layer](t)(img.Layers())
	digest := must[v1.Hash](t)(layers[0].Digest())
	other := must[io.ReadCloser](t)(gzipped(t, "something else").Compressed())
	swapped := replaceMember(t, whole, digest.Hex+".tar.gz", must[[]byte](t)(io.ReadAll(other)))
	if err := os.WriteFile(file, swapped, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := storeIn(t).Image(t.Context(), l, l.Platforms[0].Platform); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("with another layer, Image gives %v", err)
	}
	if again := must[plan.ImageLock](t)(storeIn(t).Lock(t.Context(), "docker-archive:"+file, platforms(t, "linux/amd64"))); again.Digest != l.Digest {
		t.Errorf("the lock is another: %s", again.Digest)
	}
	// Another configuration, and half an archive.
	for what, content := range map[string][]byte{"another image": nil, "half an archive": whole[:len(whole)/3], "no archive": []byte("nothing of the kind")} {
		if content == nil {
			if err := tarball.WriteToFile(file, tag, imageFor(t, "linux/arm64")); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := storeIn(t).Image(t.Context(), l, l.Platforms[0].Platform); err == nil || !strings.Contains(err.Error(), "read docker archive") {
			t.Errorf("%s: Image gives %v", what, err)
		}
	}
}

// replaceMember is a tar with another content of one of its files.
func replaceMember(t testing.TB, archive []byte, member string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, replaced := tar.NewWriter(&b), false
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		of := must[[]byte](t)(io.ReadAll(r))
		if h.Name == member {
			of, replaced = content, true
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		must[int](t)(w.Write(of))
	}
	if err := w.Close(); err != nil || !replaced {
		t.Fatalf("there is no %s: %v", member, err)
	}
	return b.Bytes()
}

func TestParse(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	for ref, want := range map[string]string{
		"ghcr.io/acme/base:1":               "ghcr.io/acme/base 1",
		"ghcr.io/acme/base@" + digest:       "ghcr.io/acme/base " + digest,
		"ghcr.io/acme/base:1@" + digest:     "ghcr.io/acme/base " + digest,
		"localhost/base:1":                  "localhost/base 1",
		"localhost:5000/a/b:1":              "localhost:5000/a/b 1",
		"oci:base/layout":                   "base/layout",
		"docker-archive:base.tar":           "base.tar",
		"oci:":                              "error: base oci: has no folder",
		"docker-archive:":                   "error: base docker-archive: has no file",
		"alpine:3":                          "error: it has no registry",
		"library/alpine:3":                  "error: it has no registry",
		"https://ghcr.io/acme/base:1":       "error: ",
		"ghcr.io/acme/base":                 "error: it has no tag and no digest",
		"ghcr.io/acme/base@sha256:ab":       "error: its digest is not valid",
		"ghcr.io/acme/Base:1":               "error: it has no tag and no digest, or is not a reference",
		"ghcr.io/acme/base:1 2":             "error: it has no tag",
		"ghcr.io/../base@" + digest + "x":   "error: its digest is not valid",
		"ghcr.io/acme/b$se@" + digest:       "error: it is not a reference",
		"distroless/static@sha256:whatever": "error: it has no registry",
	} {
		r, err := Parse(ref)
		var got []string
		for _, part := range []string{r.Repository, r.Path, r.Tag, r.Digest.String()} {
			if part != "" && part != ":" {
				got = append(got, part)
			}
		}
		if err != nil {
			got = []string{"error: " + err.Error()}
		}
		words, isError := strings.CutPrefix(want, "error: ")
		if s := strings.Join(got, " "); isError != (err != nil) || !isError && s != want || isError && !strings.Contains(s, words) {
			t.Errorf("%s is read as %q, want %q", ref, s, want)
		}
	}
}

// What counts as an SBOM beside an image, by its manifest.
func TestSBOMIn(t *testing.T) {
	for manifest, want := range map[string]string{
		`{"artifactType": "application/spdx+json"}`:                        "application/spdx+json",
		`{"artifactType": "application/vnd.cyclonedx+json", "layers": []}`: "application/vnd.cyclonedx+json",
		`{"layers": [{"mediaType": "text/spdx+json"}]}`:                    "text/spdx+json",
		`{"layers": [{"mediaType": "application/vnd.dsse.envelope.v1+json", "annotations": {"predicateType": "https://cyclonedx.org/bom"}}]}`:                    "application/vnd.dsse.envelope.v1+json",
		`{"layers": [{"mediaType": "application/vnd.in-toto+json", "annotations": {"in-toto.io/predicate-type": "https://spdx.dev/Document"}}]}`:                 "application/vnd.in-toto+json",
		`{"artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json", "annotations": {"dev.sigstore.bundle.predicateType": "https://spdx.dev/Document"}}`:   "application/vnd.dev.sigstore.bundle.v0.3+json",
		`{"artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json", "annotations": {"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance"}}`: "",
		`{"layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json"}]}`:                                                                        "",
		`{}`: "", `[]`: "", `{"layers": 1}`: "", ``: "",
	} {
		if got := sbomIn([]byte(manifest)); got != want {
			t.Errorf("%s is %q, want %q", manifest, got, want)
		}
	}
}

// What is locked for a platform is what the locked index has for it, or it is refused.
func TestMember(t *testing.T) {
	amd64, arm64 := imageFor(t, "linux/amd64"), imageFor(t, "linux/arm64")
	wanted := platforms(t, "linux/amd64", "linux/arm64")
	nested := t.TempDir()
	index := v1.ImageIndex(empty.Index)
	for _, img := range []v1.Image{amd64, arm64} {
		config := must[*v1.ConfigFile](t)(img.ConfigFile())
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: config.Platform()}})
	}
	if err := must[layout.Path](t)(layout.Write(nested, empty.Index)).AppendIndex(index); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"an index": nested, "index.json itself": folderOf(t, amd64, arm64)} {
		s := storeIn(t)
		l := must[plan.ImageLock](t)(s.Lock(t.Context(), "oci:"+dir, wanted))
		for _, p := range wanted {
			if err := s.Member(t.Context(), l, p); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		l.Platforms[0].Digest, l.Platforms[1].Digest = l.Platforms[1].Digest, l.Platforms[0].Digest
		if err := s.Member(t.Context(), l, wanted[0]); err == nil || !strings.Contains(err.Error(), "but "+l.Digest+" has another digest for it") {
			t.Errorf("%s, another platform's image: %v", name, err)
		}
		l.Digest = "sha256:" + strings.Repeat("0", 64)
		if err := s.Member(t.Context(), l, wanted[0]); err == nil {
			t.Errorf("%s: another index is taken", name)
		}
	}
	s, one := storeIn(t), folderOf(t, amd64)
	l := must[plan.ImageLock](t)(s.Lock(t.Context(), "oci:"+one, wanted[:1]))
	if err := s.Member(t.Context(), l, wanted[0]); err != nil {
		t.Errorf("one image: %v", err)
	}
}
