package gotest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// TestNames runs a module with a package of every outcome.
func TestNames(t *testing.T) {
	testtool.NotShort(t)
	dir := t.TempDir()
	const head = "import \"testing\"\n"
	for name, content := range map[string]string{
		"go.mod":            "module example.com/m\n\ngo 1.26\n",
		"zoo/zoo_test.go":   "package zoo\n" + head + "func TestA(t *testing.T) { t.Run(\"sub\", func(t *testing.T) {}) }\n",
		"ape/ape_test.go":   "package ape\n" + head + "func TestA(t *testing.T) { t.Skip() }\n",
		"none/none.go":      "package none\n",
		"bad/bad_test.go":   "package bad\n" + head + "func TestA(t *testing.T) { t.Error(\"wrong\") }\nfunc TestB(t *testing.T) {}\n",
		"worse/w_test.go":   "package worse\n" + head + "func TestA(t *testing.T) { panic(\"worse\") }\n",
		"vetted/v_test.go":  "package vetted\n" + head + "func TestA(t *testing.T) {}\n",
		"broken/b.go":       "package broken\n\nimport \"fmt\"\n\nfunc F() { fmt.Printf(\"%d\", \"x\") }\n",
		"broken/b_test.go":  "package broken\n" + head + "func TestA(t *testing.T) { F() }\n",
		"vetted/vetted.go":  "package vetted\n",
		"compile/c_test.go": "package compile\n" + head + "func TestA(t *testing.T) { undefined() }\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g, err := gocmd.Read(t.Context(), dir, append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOWORK=off"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		packages, passed, failed []string
	}{
		{[]string{"./zoo", "./none", "./ape", "./vetted"}, []string{"ape", "vetted", "zoo"}, nil},
		{[]string{"./worse", "./zoo", "./bad", "./none"}, []string{"zoo"}, []string{"bad", "worse"}},
		{[]string{"./none"}, nil, nil},
		// What vet finds, or what does not compile, is not tested.
		{[]string{"./zoo", "./broken"}, []string{"zoo"}, []string{"broken"}},
		{[]string{"./zoo", "./compile"}, []string{"zoo"}, []string{"compile"}},
	} {
		got, err := Run(t.Context(), Input{Go: g, Config: plan.TestConfig{Packages: tt.packages}})
		if failed := new(Error); errors.As(err, &failed) != (tt.failed != nil) || err != nil && tt.failed == nil {
			t.Errorf("%q: error %v", tt.packages, err)
		}
		if !slices.Equal(got.Passed, paths(tt.passed)) || !slices.Equal(got.Failed, paths(tt.failed)) {
			t.Errorf("%q: passed %q, failed %q", tt.packages, got.Passed, got.Failed)
		}
		if got.Packages != len(tt.passed)+len(tt.failed) {
			t.Errorf("%q: %d packages", tt.packages, got.Packages)
		}
	}
}

func paths(names []string) []string {
	var all []string
	for _, n := range names {
		all = append(all, "example.com/m/"+n)
	}
	return all
}
