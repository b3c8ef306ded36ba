package build_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// A release without a registry verifies what is on the disk: what was damaged after it was
// written is no release.
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
		repo := module(t, "several")
		o := options(t, repo, func(o *settings) {
			o.Env = environment("COSIGN_PASSWORD=" + password)
			o.Config.Release.Key = newServedKey(t)
			o.Progress = &damage{t: t, folder: filepath.Join(repo, "dist"), script: test.damage}
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

// damage runs a script once, before the first layout is verified.
type damage struct {
	t              *testing.T
	folder, script string
	once           sync.Once
}

func (d *damage) Start(task string) func(string, error) {
	if strings.HasPrefix(task, "verify ") {
		d.once.Do(func() {
			cmd := exec.Command("sh", "-c", "D='"+d.folder+"'\n"+d.script+"\nexit 0")
			if out, err := cmd.CombinedOutput(); err != nil {
				d.t.Errorf("%v\n%s", err, out)
			}
		})
	}
	return func(string, error) {}
}

func (d *damage) Notice(string) {}
