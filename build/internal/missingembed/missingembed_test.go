package missingembed

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestExplain has messages as the go command writes them.
func TestExplain(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"ui/package.json": `{"scripts": {"build": "vite build"}}`, "ui/yarn.lock": "", "web/package.json": `{"scripts": {"test": "x"}}`,
	} {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const make = "commit it, or let Config.Before run the command that makes it, such as\n\n    Before: [][]string{{\"make\", \"assets\"}},"
	for _, test := range []struct {
		message string
		before  [][]string
		want    string
	}{
		{"compile example.com/x for linux/amd64:\nui/ui.go:5:12: pattern dist/*: no matching files found", nil,
			"embed ui/dist/*: ui/ui.go:5 needs it, and there is no such file; let Config.Before make it:\n\n" +
				`    Before: [][]string{{"sh", "-c", "cd ui && yarn install --frozen-lockfile && yarn run build"}},`},
		{"test x: failed\n# x\n  | web/web.go:7:14: pattern all:dist: no matching files found\nFAIL x [setup failed]", nil,
			"embed web/dist: web/web.go:7 needs it, and there is no such file; " + make},
		{"go: main.go:7:14: pattern a b.txt: no matching files found\r\n", nil, "embed a b.txt: main.go:7 needs it, and there is no such file; " + make},
		{"../other/main.go:7:14: pattern dist: no matching files found", nil, "embed ../other/dist: ../other/main.go:7 needs it, and there is no such file; " + make},
		{"ui/ui.go:5:12: pattern dist/*: no matching files found", [][]string{{"npm", "ci"}, {"make", "ui"}},
			"embed ui/dist/*: ui/ui.go:5 needs it, and there is no such file; Config.Before ran, and did not make it: npm ci; make ui"},
		{"ui/ui.go:5:12: undefined: x", nil, "ui/ui.go:5:12: undefined: x"},
	} {
		cause := errors.New(test.message)
		err := Explain(cause, dir, test.before)
		if err.Error() != test.want {
			t.Errorf("got  %q\nwant %q", err, test.want)
		}
		if !errors.Is(err, cause) {
			t.Errorf("%q has lost its cause", err)
		}
	}
	if err := Explain(nil, dir, nil); err != nil {
		t.Error(err)
	}
}
