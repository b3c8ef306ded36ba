package gocmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestVendors compares with what the go command does in the same folder.
func TestVendors(t *testing.T) {
	for _, test := range []struct {
		name string
		// files by name; a name that ends in a slash is a folder.
		files map[string]string
		work  bool
		want  bool
	}{
		{name: "no folder", files: map[string]string{"go.mod": "module m\n\ngo 1.20\n"}},
		{name: "vendored", files: map[string]string{"go.mod": "module m\n\ngo 1.20\n", "vendor/modules.txt": ""}, want: true},
		{name: "without modules.txt", files: map[string]string{"go.mod": "module m\n\ngo 1.20\n", "vendor/": ""}, want: true},
		{name: "the oldest that counts", files: map[string]string{"go.mod": "module m\n\ngo 1.14\n", "vendor/modules.txt": ""}, want: true},
		{name: "too old", files: map[string]string{"go.mod": "module m\n\ngo 1.13\n", "vendor/modules.txt": ""}},
		{name: "without a go line", files: map[string]string{"go.mod": "module m\n", "vendor/modules.txt": ""}},
		{name: "for a workspace, outside of it", files: map[string]string{"go.mod": "module m\n\ngo 1.22\n", "vendor/modules.txt": "## workspace\n"}},
		{name: "in a workspace", work: true, files: map[string]string{"go.mod": "module m\n\ngo 1.22\n", "go.work": "go 1.22\n\nuse .\n", "vendor/modules.txt": "## workspace\n"}, want: true},
		{name: "in a workspace, for a module", work: true, files: map[string]string{"go.mod": "module m\n\ngo 1.22\n", "go.work": "go 1.22\n\nuse .\n", "vendor/modules.txt": ""}},
		{name: "a file", files: map[string]string{"go.mod": "module m\n\ngo 1.20\n", "vendor": ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, content := range test.files {
				path := filepath.Join(dir, filepath.FromSlash(name))
				if strings.HasSuffix(name, "/") {
					if err := os.MkdirAll(path, 0o755); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			work := ""
			if test.work {
				work = filepath.Join(dir, "go.work")
			}
			got, err := vendors(filepath.Join(dir, "go.mod"), work)
			if err != nil || got != test.want {
				t.Errorf("vendors = %t, %v; want %t", got, err, test.want)
			}
			// A package that only the vendor folder could have: with it, the error says so.
			cmd := testtool.Command(t, "go", "list", "-e", "-f", "{{.Error}}", "example.com/none")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOPROXY=off", "GOWORK=", "GOTOOLCHAIN=local", "PWD="+dir)
			out, _ := cmd.CombinedOutput()
			if says := strings.Contains(string(out), "-mod=vendor"); says != test.want {
				t.Errorf("the go command says %q", out)
			}
		})
	}
}
