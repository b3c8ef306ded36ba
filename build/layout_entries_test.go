package build_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
)

// What anybody may have added to a layout is listed as ignored, and fails no image that has
// all it needs; what is missing is named.
func TestVerifyLayoutWithGarbage(t *testing.T) {
	t.Parallel()
	o := options(t, module(t, "hello"))
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	expected := build.VerifyOptions{Keys: []string{filepath.Join(r.Dist, "verify", "cosign.pub")}}
	img := r.Images[0]
	const manifest, index = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
	nowhere := "sha256:" + strings.Repeat("0", 64)
	entry := func(mediaType, digest string, size int) string {
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, digest, size)
	}
	blob := func(t *testing.T, dir, digest string) string {
		return filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
	}
	// written is an entry for a new blob.
	written := func(t *testing.T, dir, mediaType, content string) string {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
		ok(t, os.WriteFile(blob(t, dir, digest), []byte(content), 0o644))
		return entry(mediaType, digest, len(content))
	}
	const layers = `"layers":[],"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}`
	for what, test := range map[string]struct {
		// add are entries before the layout's own.
		add func(t *testing.T, dir string) []string
		// ignored is a reason in the report, and refused the error; one of them.
		ignored, refused string
	}{
		"an unknown media type": {func(*testing.T, string) []string {
			return []string{entry("text/plain", nowhere, 1), entry("", nowhere, 1)}
		}, `index.json: 2 of other types, such as "text/plain"`, ""},
		"a manifest that is missing": {func(*testing.T, string) []string {
			return []string{entry(manifest, nowhere, 1)}
		}, nowhere + ": " + nowhere + " is not in the layout", ""},
		"an index that is missing": {func(*testing.T, string) []string {
			return []string{entry(index, nowhere, 1)}
		}, nowhere + " is not in the layout", ""},
		"a manifest that is no JSON": {func(t *testing.T, dir string) []string {
			return []string{written(t, dir, manifest, "garbage")}
		}, "read the manifest: invalid character", ""},
		"an index that is no JSON": {func(t *testing.T, dir string) []string {
			return []string{written(t, dir, index, "garbage")}
		}, "read the index: invalid character", ""},
		"another content": {func(t *testing.T, dir string) []string {
			ok(t, os.WriteFile(blob(t, dir, nowhere), []byte("{}"), 0o644))
			return []string{entry(manifest, nowhere, 2)}
		}, nowhere + ": its content is sha256:44136fa3", ""},
		"another size": {func(t *testing.T, dir string) []string {
			return []string{strings.Replace(written(t, dir, manifest, "{}"), `"size":2`, `"size":7`, 1)}
		}, "it has 2 bytes, but index.json says 7", ""},
		"no descriptors": {func(*testing.T, string) []string {
			return []string{`7`, `"x"`, `{}`, `null`, `{"mediaType":"` + manifest + `","digest":"../../etc/passwd","size":1}`}
		}, "index.json: 5 of other types", ""},
		"a digest that leads elsewhere": {func(*testing.T, string) []string {
			return []string{entry(manifest, "sha256:../../../index.json", 1)}
		}, "index.json: 1 of other types", ""},
		"a referrer of something else": {func(t *testing.T, dir string) []string {
			return []string{written(t, dir, manifest, `{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"`+nowhere+`","size":2},"layers":[],"subject":`+entry(manifest, nowhere, 1)+`}`)}
		}, "index.json: 1 are about other images", ""},
		"signatures of something else": {func(t *testing.T, dir string) []string {
			return []string{strings.TrimSuffix(written(t, dir, manifest, `{"schemaVersion":2,`+layers+`}`), "}") + `,"annotations":{"org.opencontainers.image.ref.name":"sha256-` + strings.Repeat("0", 64) + `.sig"}}`}
		}, "index.json: 1 are about other images", ""},
		"bundles that cannot be read": {func(t *testing.T, dir string) []string {
			return []string{written(t, dir, manifest, `{"schemaVersion":2,"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"`+nowhere+`","size":2},"layers":[`+entry("x", nowhere, 9)+`],"subject":`+entry(index, img.Digest, 1)+`}`)}
		}, nowhere, ""},
		"10,000 entries": {func(*testing.T, string) []string {
			var all []string
			for i := range 10000 {
				all = append(all, entry(manifest, fmt.Sprintf("sha256:%064x", i), 1))
			}
			return all
		}, "index.json: 9980 more could not be read", ""},
		"the same image again": {func(*testing.T, string) []string {
			return []string{entry(index, img.Digest, int(must(os.Stat(blob(t, filepath.Join(r.Dist, img.Layout), img.Digest))).Size()))}
		}, "", ""},
		// What may be taken for the image is no garbage.
		"another image": {func(t *testing.T, dir string) []string {
			return []string{written(t, dir, manifest, `{"schemaVersion":2,`+layers+`}`)}
		}, "", "it contains several images"},
		"another image under another digest": {func(t *testing.T, dir string) []string {
			ok(t, os.WriteFile(blob(t, dir, nowhere), []byte(`{"schemaVersion":2,`+layers+`}`), 0o644))
			return []string{entry(manifest, nowhere, 2)}
		}, "", "it contains an image that index.json describes wrongly, as " + nowhere},
		"too many entries": {func(*testing.T, string) []string {
			return []string{strings.TrimSuffix(strings.Repeat("{},", 40000), ",")}
		}, "", "it has more than 30000 entries"},
		"a large index.json": {func(*testing.T, string) []string {
			return []string{`"` + strings.Repeat("x", 5<<20) + `"`}
		}, "", "it is too large: more than 4 MiB"},
		"no JSON": {func(*testing.T, string) []string { return []string{"garbage"} }, "", "read index.json: invalid character"},
		// What is needed is named.
		"no image": {func(t *testing.T, dir string) []string {
			ok(t, os.Remove(blob(t, dir, img.Digest)))
			return []string{entry("text/plain", nowhere, 1)}
		}, "", "it contains no image that can be read: " + img.Digest + ": " + img.Digest + " is not in the layout; 1 of other types"},
		"no platform": {func(t *testing.T, dir string) []string {
			ok(t, os.Remove(blob(t, dir, img.Platforms[0].Digest)))
			return nil
		}, "", img.Platforms[0].Digest + " is not in the layout"},
		"a damaged platform": {func(t *testing.T, dir string) []string {
			change(t, blob(t, dir, img.Platforms[0].Digest), []byte("{}"))
			return nil
		}, "", img.Platforms[0].Digest + ": its content is sha256:44136fa3"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "hello")
			ok(t, os.CopyFS(dir, os.DirFS(filepath.Join(r.Dist, img.Layout))))
			var list struct {
				SchemaVersion int               `json:"schemaVersion"`
				Manifests     []json.RawMessage `json:"manifests"`
			}
			ok(t, json.Unmarshal(must(os.ReadFile(filepath.Join(dir, "index.json"))), &list))
			all := test.add(t, dir)
			for _, own := range list.Manifests {
				all = append(all, string(own))
			}
			change(t, filepath.Join(dir, "index.json"), []byte(`{"schemaVersion": 2, "manifests": [`+strings.Join(all, ", ")+`]}`))
			report, err := build.Verify(t.Context(), verifying(o.Options, expected), dir)
			again := build.RebuildOptions{VerifyOptions: expected, Mirror: filepath.Join(t.TempDir(), "nowhere")}
			_, rebuildErr := build.Rebuild(t.Context(), rebuilding(build.Options{Workdir: t.TempDir(), Env: environment()}, again), "oci:"+dir, nil)
			if test.refused != "" {
				refused(t, err, "read layout "+dir, test.refused)
				refused(t, rebuildErr, "read layout "+dir, test.refused)
				return
			}
			ok(t, err)
			refused(t, rebuildErr, again.Mirror) // it went on to fetch the source
			var said []string
			for _, c := range report.Checks {
				if string(c.Outcome) == "ignored" {
					said = append(said, c.Detail)
				}
			}
			if len(said) > 30 || !strings.Contains(strings.Join(said, "\n"), test.ignored) {
				t.Errorf("%d are ignored, want %q:\n%.3000s", len(said), test.ignored, strings.Join(said, "\n"))
			}
		})
	}
}
