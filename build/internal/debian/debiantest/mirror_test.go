package debiantest

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMirrorOf(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"deb822":         {map[string]string{"sources.list.d/debian.sources": "Types: deb\nURIs: http://mirror.test/a/debian/\nSuites: trixie\n\nTypes: deb\nURIs: http://mirror.test/a/debian-security\n"}, "http://mirror.test/a"},
		"one line":       {map[string]string{"sources.list": "# deb http://no.test/debian trixie main\ndeb [signed-by=/k] http://mirror.test/debian trixie main\ndeb http://mirror.test/debian-security trixie-security main\n"}, "http://mirror.test"},
		"others' beside": {map[string]string{"sources.list": "deb https://else.test/apt x main\n", "sources.list.d/d.sources": "URIs: https://mirror.test/debian https://mirror.test/debian-security\n"}, "https://mirror.test"},
		"two hosts":      {map[string]string{"sources.list": "deb http://a.test/debian x main\ndeb http://b.test/debian-security x main\n"}, ""},
		"nothing":        {nil, ""},
		"no web":         {map[string]string{"sources.list": "deb file:/mirror/debian x main\ndeb file:/mirror/debian-security x main\n"}, ""},
		"another file":   {map[string]string{"sources.list.d/d.sources.bak": "URIs: http://mirror.test/debian http://mirror.test/debian-security\n"}, ""},
	} {
		dir := t.TempDir()
		for file, content := range tc.files {
			file = filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, ok := mirrorOf(dir); got != tc.want || ok != (tc.want != "") {
			t.Errorf("%s: the mirror is %q, want %q", name, got, tc.want)
		}
	}
}
