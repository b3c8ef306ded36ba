package compile

import (
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/internal/golist"
)

// The advice on cgo is only for errors that cgo causes.
func TestCgoCauses(t *testing.T) {
	packages := []golist.CgoPackage{
		{Path: "example.com/sqlite", Name: "sqlite3", Dir: "/cache/sqlite@v1.0.0", Importers: []string{"example.com/svc/store"}},
		{Path: "example.com/svc/native", Name: "native", Dir: "/svc/native", Importers: []string{"example.com/svc"}},
	}
	for name, test := range map[string]struct {
		output string
		want   []string
	}{
		"nothing is left":           {"package example.com/svc\n\timports example.com/svc/native: build constraints exclude all Go files in /svc/native", []string{"example.com/svc/native"}},
		"nothing is left, by file":  {"main.go:5:2: build constraints exclude all Go files in /cache/sqlite@v1.0.0", []string{"example.com/sqlite"}},
		"of another package":        {"main.go:5:2: build constraints exclude all Go files in /svc/windows", nil},
		"a name in the package":     {"# example.com/sqlite\n/cache/sqlite@v1.0.0/a.go:7:9: undefined: open", []string{"example.com/sqlite"}},
		"a name of the package":     {"# example.com/svc\n./main.go:9:9: undefined: native.F", []string{"example.com/svc/native"}},
		"both":                      {"# example.com/svc\n./main.go:9:9: undefined: native.F\n# example.com/svc/store\nstore.go:1:1: undefined: sqlite3.Conn", []string{"example.com/sqlite", "example.com/svc/native"}},
		"another name":              {"# example.com/svc\n./main.go:9:9: undefined: nothing", nil},
		"a name of another package": {"# example.com/svc\n./main.go:9:9: undefined: other.F", nil},
		"a stranger's native":       {"# example.com/other\n./main.go:9:9: undefined: native.F", nil},
		"a syntax error":            {"# example.com/svc/native\n./n.go:3:1: syntax error: non-declaration statement outside function body", nil},
		"a refused module":          {"go: example.com/gone@v1.0.0: reading https://proxy.example.com/gone/@v/v1.0.0.mod: 404 Not Found", nil},
		"a missing embed":           {"main.go:7:12: pattern dist/*: no matching files found", nil},
	} {
		if got := cgoCauses(test.output, packages); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
