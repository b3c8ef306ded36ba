package build_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
)

// A layout passes only if every byte of the image is what was signed: nobody compares
// digests on every way out of it.
func TestVerifyLayoutContent(t *testing.T) {
	t.Parallel()
	repo := module(t, "hello")
	o := options(t, repo)
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	expected := build.VerifyOptions{Keys: []string{filepath.Join(r.Dist, "verify", "cosign.pub")}}
	img := r.Images[0]
	layers := img.Platforms[0].Layers
	binary := layers[len(layers)-1].Digest
	manifest := must(must(must(layout.ImageIndexFromPath(filepath.Join(r.Dist, img.Layout))).ImageIndex(must(v1.NewHash(img.Digest)))).Image(must(v1.NewHash(img.Platforms[0].Digest))))
	config := must(manifest.ConfigName()).String()

	for what, test := range map[string]struct {
		tamper func(t *testing.T, dir string, blob func(digest string) string)
		says   []string
	}{
		"nothing": {func(*testing.T, string, func(string) string) {}, nil},
		// Who unpacks it gets the second file; who stops at the first finds the signed one.
		"a second binary behind the first": {func(t *testing.T, _ string, blob func(string) string) {
			appendFile(t, blob(binary), "hello", "#!/bin/sh\necho evil\n")
		}, []string{"content of linux/amd64", "the content of " + binary}},
		"another file behind the binary": {func(t *testing.T, _ string, blob func(string) string) {
			appendFile(t, blob(binary), "etc/ld.so.preload", "/evil.so\n")
		}, []string{"content of linux/amd64", "the content of " + binary}},
		"another environment": {func(t *testing.T, _ string, blob func(string) string) {
			b := must(os.ReadFile(blob(config)))
			change(t, blob(config), bytes.Replace(b, []byte(`"Env":[`), []byte(`"Env":["LD_PRELOAD=/evil.so",`), 1))
		}, []string{"content of linux/amd64", "the content of " + config}},
		"no configuration": {func(t *testing.T, _ string, blob func(string) string) {
			ok(t, os.Remove(blob(config)))
		}, []string{"content of linux/amd64", config + " is not in the layout"}},
		"a second image": {func(t *testing.T, dir string, _ func(string) string) {
			ok(t, layout.Path(dir).AppendImage(must(random.Image(100, 1)), layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "v1.2.3"})))
		}, []string{"it contains several images"}},
		"a second index": {func(t *testing.T, dir string, _ func(string) string) {
			ok(t, layout.Path(dir).AppendIndex(must(random.Index(100, 1, 1))))
		}, []string{"it contains several images"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "hello")
			ok(t, os.CopyFS(dir, os.DirFS(filepath.Join(r.Dist, img.Layout))))
			test.tamper(t, dir, func(digest string) string {
				return filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
			})
			_, err := build.Verify(t.Context(), verifying(o.Options, expected), dir)
			if len(test.says) == 0 {
				ok(t, err)
			} else {
				refused(t, err, test.says...)
			}
		})
	}
}

// change writes other content into a file that may be a link of somebody else's.
func change(t testing.TB, file string, content []byte) {
	t.Helper()
	if before := must(os.ReadFile(file)); bytes.Equal(before, content) {
		t.Fatal("nothing was changed")
	}
	ok(t, os.Remove(file))
	ok(t, os.WriteFile(file, content, 0o644))
}

// appendFile puts a file behind all others of a layer.
func appendFile(t testing.TB, blob, name, content string) {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for files := tar.NewReader(must(gzip.NewReader(bytes.NewReader(must(os.ReadFile(blob)))))); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		ok(t, err)
		ok(t, w.WriteHeader(h))
		must(io.Copy(w, files))
	}
	ok(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}))
	must(w.Write([]byte(content)))
	ok(t, errors.Join(w.Close(), z.Close()))
	change(t, blob, out.Bytes())
}

// A reference that names a registry is never a folder's, and the keys that are named are
// the only ones, whoever else Config trusts.
func TestVerifyMeansWhatIsNamed(t *testing.T) {
	t.Parallel()
	host := registrytest.InProcess(t, true)
	key, old := newKey(t), newKey(t)
	repo := module(t, "hello")
	o := options(t, repo, to(host, old))
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	o.Config = build.Config{Release: build.ReleaseConfig{TrustKeys: []string{publicOf(old)}}}
	ref := host + "/acme/hello:v1.2.3"
	_, err = build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{}), ref)
	ok(t, err)
	_, err = build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(key)}}), ref)
	refused(t, err, "does not verify with the expected key")

	ok(t, remote.Write(must(name.NewTag(ref, name.Insecure)), must(random.Image(100, 1))))
	lure := filepath.Join(o.Workdir, filepath.FromSlash(ref))
	local := options(t, module(t, "hello"), func(o *settings) { o.Config.Release.Key = old })
	signed, err := build.Release(t.Context(), local.release())
	ok(t, err)
	ok(t, os.CopyFS(lure, os.DirFS(filepath.Join(signed.Dist, signed.Images[0].Layout))))
	_, err = build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(old)}}), ref)
	refused(t, err, "signature of", "there is none")
	for _, layout := range []string{"oci:" + ref, "./" + ref, lure} {
		report, err := build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(old)}}), layout)
		ok(t, err)
		if report.Digest != r.Images[0].Digest {
			t.Errorf("%s is %s", layout, report.Digest)
		}
	}
	_, err = build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(old)}}), "oci:"+t.TempDir())
	refused(t, err, "read layout")
}
