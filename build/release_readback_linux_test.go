package build_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// A release without a registry verifies what is on the disk: what was damaged after it was
// written is no release. The container engine that takes the second image damages the first
// one's layout.
func TestLocalReleaseIsReadBack(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "half a minute: it releases four times")
	for what, test := range map[string]struct {
		damage string
		says   []string
	}{
		"nothing":       {},
		"every blob":    {`for f in "$D"/.stage/oci/*/blobs/sha256/*; do [ -f "$f" ] && printf x >>"$f"; done`, []string{"/dist/oci/", "it contains no image that can be read", "its content is sha256:"}},
		"the documents": {`for f in "$D"/.stage/oci/*/blobs/sha256/*; do grep -lq payloadType "$f" 2>/dev/null && rm "$f"; done`, []string{"verification failed", "none is valid", "is not in the layout"}},
		"the list":      {`for f in "$D"/.stage/oci/*/index.json; do [ -f "$f" ] && echo '{"schemaVersion":2,"manifests":[]}' >"$f"; done`, []string{"/dist/oci/", "it contains no image"}},
	} {
		repo, bin := module(t, "several"), t.TempDir()
		script := "#!/bin/sh\nD='" + filepath.Join(repo, "dist") + "'\nI='" + filepath.Join(bin, "id") + "'\n" + `case $1 in
version) echo 20 ;;
load) tar -xO manifest.json | grep -o '[0-9a-f]\{64\}' | head -1 >"$I"; ` + test.damage + `
;;
image) echo "[{\"Id\":\"sha256:$(cat "$I")\"}]" ;;
esac
exit 0
`
		ok(t, os.WriteFile(filepath.Join(bin, "docker"), []byte(script), 0o755))
		o := options(t, repo, func(o *settings) {
			o.Env = append(environment("COSIGN_PASSWORD="+password), "PATH="+bin+":"+os.Getenv("PATH"))
			o.Load, o.Config.Release.Key = true, newServedKey(t)
		})
		_, err := build.Release(t.Context(), o.release())
		if test.damage == "" {
			ok(t, err)
			continue
		}
		if err == nil {
			t.Errorf("%s: a damaged layout is called verified", what)
			continue
		}
		for _, says := range test.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want %q", what, err, says)
			}
		}
		if _, err := os.Stat(filepath.Join(o.Workdir, "dist", "manifest.json")); err == nil {
			t.Errorf("%s: the damaged release is in dist", what)
		}
	}
}
