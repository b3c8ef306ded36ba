package baseimage

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// saved is a docker archive of these files, each "name content" or "name -> link".
func saved(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		name, content, _ := strings.Cut(f, " ")
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}
		if link, ok := strings.CutPrefix(content, "-> "); ok {
			h, content = &tar.Header{Name: name, Linkname: link, Typeflag: tar.TypeSymlink}, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A docker archive whose files are too large, too many, or lead in a circle, says so.
func TestHostileArchive(t *testing.T) {
	many := make([]string, maxMembers+1)
	for i := range many {
		many[i] = strings.Repeat("a", 1+i%50) + string(rune('a'+i%26)) + strings.Repeat("b", i/1000) + strings.Repeat("c", i%997)
	}
	for name, c := range map[string]struct {
		archive []byte
		want    string
	}{
		"links in a circle":     {saved(t, "manifest.json -> a", "a -> b", "b -> a"), "is a broken link"},
		"a link out of it":      {saved(t, "manifest.json -> ../../etc/passwd"), "it has no"},
		"a large manifest":      {saved(t, "manifest.json "+strings.Repeat(" ", maxArchiveManifest+1)), "too large: more than 1 MiB"},
		"a large configuration": {saved(t, `manifest.json [{"Config":"c"}]`, "c "+strings.Repeat(" ", 4<<20+1)), "too large: more than 4 MiB"},
		"no configuration":      {saved(t, `manifest.json [{"Config":"c"}]`), `it has no "c"`},
		"two images":            {saved(t, `manifest.json [{},{}]`), "it contains 2 images"},
		"many layers":           {saved(t, `manifest.json [{"Layers":[`+strings.Repeat(`"a",`, 600)+`"a"]}]`), "more than 500 layers"},
		"many files":            {saved(t, many...), "more than 10000 files"},
	} {
		file := filepath.Join(t.TempDir(), "base.tar")
		if err := os.WriteFile(file, c.archive, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := storeIn(t).Lock(t.Context(), "docker-archive:"+file, platforms(t, "linux/amd64"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := storeIn(t).Lock(t.Context(), "docker-archive:"+t.TempDir(), platforms(t, "linux/amd64")); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

// FuzzArchive reads docker archives: it ends, and what is read is within the limits.
func FuzzArchive(f *testing.F) {
	config := `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:` + strings.Repeat("0", 64) + `"]}}`
	f.Add(saved(f, `manifest.json [{"Config":"c","Layers":["l/layer.tar"]}]`, "c "+config, "l/layer.tar -> ../m/layer.tar", "m/layer.tar x"))
	f.Add(saved(f, "manifest.json -> manifest.json"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, archive []byte) {
		file := filepath.Join(dir, "base.tar")
		if err := os.WriteFile(file, archive, 0o644); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		a, err := openArchive(t.Context(), file)
		if err != nil {
			return
		}
		_, _ = a.read(t.Context(), a.config, 1<<20)
		for _, l := range a.layers {
			_ = copyLayer(t.Context(), io.Discard, a, l, v1.Hash{})
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
