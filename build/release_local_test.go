package build_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// Without a repository and a key the release stays in dist, says so in one line, and
// can be verified all the same.
func TestReleaseToLayout(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "cosign")
	repo := module(t, "hello")
	said := &notices{}
	o := options(t, repo, func(o *settings) {
		o.Platforms, o.SkipTests, o.Progress = nil, false, said
	})
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	if got := said.with("notice"); len(got) != 1 || !strings.Contains(got[0], "no repository and no key: the release stays in dist") {
		t.Errorf("notices: %q", got)
	}
	complete(t, r)
	ok(t, verifyScript(t, r.Dist))
	dir := filepath.Join(r.Dist, r.Images[0].Layout)
	public := filepath.Join(r.Dist, "verify", "cosign.pub")
	report, err := build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{public}}), dir)
	if err != nil || report.Digest != r.Images[0].Digest {
		t.Errorf("Verify: %v %+v", err, report)
	}
	_, err = build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(newKey(t))}}), dir)
	refused(t, err, "verification failed", "it does not verify with the expected key")
	sameBinaries(t, r)

	archives := filepath.Join(r.Dist, "archives")
	cmd := testtool.Command(t, "sha256sum", "--strict", "-c", "checksums.txt")
	cmd.Dir = archives
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	for _, a := range r.Archives {
		if name := filepath.Base(a.Path); !strings.Contains(string(out), name+": OK") {
			t.Errorf("checksums.txt does not list %s", name)
		}
	}

	// A byte of the binary in the layout is another one.
	binary := r.Images[0].Platforms[0].Layers
	blob := filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(binary[len(binary)-1].Digest, "sha256:"))
	content := must(os.ReadFile(blob))
	content[len(content)/2] ^= 1
	ok(t, os.Remove(blob))
	ok(t, os.WriteFile(blob, content, 0o644))
	if _, err := build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{public}}), dir); err == nil {
		t.Error("Verify takes a layer that was tampered with")
	}

	ok(t, os.WriteFile(filepath.Join(archives, filepath.Base(r.Archives[0].Path)), []byte("another"), 0o644))
	if err := verifyScript(t, r.Dist); !allRefuse(err) {
		t.Errorf("verify.sh takes an archive that was tampered with: %v", err)
	}
}

// sameBinaries checks that the binary in dist/bin, in the image and in the archive is
// one, with the manifest's hash.
func sameBinaries(t testing.TB, r *build.Result) {
	t.Helper()
	sum := func(in io.Reader) string {
		h := sha256.New()
		_, err := io.Copy(h, in)
		ok(t, err)
		return hex.EncodeToString(h.Sum(nil))
	}
	for _, img := range r.Images {
		top := must(layout.ImageIndexFromPath(filepath.Join(r.Dist, img.Layout)))
		inner := must(top.ImageIndex(must(v1.NewHash(img.Digest))))
		for _, p := range img.Platforms {
			if got := sum(bytes.NewReader(must(os.ReadFile(filepath.Join(r.Dist, p.Binary.Path))))); got != p.Binary.SHA256 {
				t.Errorf("dist/bin of %s has %s, the manifest %s", p.Platform, got, p.Binary.SHA256)
			}
			layers := must(must(inner.Image(must(v1.NewHash(p.Digest)))).Layers())
			content := must(layers[len(layers)-1].Uncompressed())
			defer content.Close()
			if got := executable(t, tar.NewReader(content), img.Name, sum); got != p.Binary.SHA256 {
				t.Errorf("the image of %s has %q, the manifest %s", p.Platform, got, p.Binary.SHA256)
			}
			found := false
			for _, a := range r.Archives {
				if a.Image != img.Name || a.Platform != p.Platform {
					continue
				}
				found = true
				file := filepath.Join(r.Dist, a.Path)
				f := must(os.Open(file))
				defer f.Close()
				if got := executable(t, tar.NewReader(must(gzip.NewReader(f))), img.Name, sum); got != p.Binary.SHA256 {
					t.Errorf("%s has %q, the manifest %s", a.Path, got, p.Binary.SHA256)
				}
				if got := sum(bytes.NewReader(must(os.ReadFile(file)))); got != a.SHA256 {
					t.Errorf("%s is %s, the manifest says %s", a.Path, got, a.SHA256)
				}
			}
			if !found {
				t.Errorf("there is no archive for %s", p.Platform)
			}
		}
	}
}

// executable is the sum of the regular file of this name, wherever it is.
func executable(t testing.TB, files *tar.Reader, name string, sum func(io.Reader) string) string {
	t.Helper()
	for {
		h, err := files.Next()
		if err == io.EOF {
			return ""
		}
		ok(t, err)
		if h.Typeflag == tar.TypeReg && filepath.Base(h.Name) == name {
			return sum(files)
		}
	}
}
