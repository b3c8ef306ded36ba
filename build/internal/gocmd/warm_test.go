package gocmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWarm: the go command collects less garbage where there is little to compile, unless
// the user has said otherwise, or its memory counts.
func TestWarm(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/m\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	env := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "GOGC=") || strings.HasPrefix(e, "GOFLAGS=") })
	for _, test := range []struct {
		name string
		env  []string
		warm bool
		want string
	}{
		{"cold", nil, false, ""},
		{"warm", nil, true, "400"},
		{"the user's own", []string{"GOGC=50"}, true, "50"},
		{"few compilers", []string{"GOFLAGS=-p=1"}, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, err := Read(t.Context(), dir, slices.Concat(env, test.env))
			if err != nil {
				t.Fatal(err)
			}
			g.Warm = test.warm
			got := ""
			for _, e := range g.Command(nil, "env", "GOGC").Env {
				if v, ok := strings.CutPrefix(e, "GOGC="); ok {
					got = v // of several, the last counts
				}
			}
			if got != test.want {
				t.Errorf("the go command gets GOGC=%q, want %q", got, test.want)
			}
		})
	}
}
