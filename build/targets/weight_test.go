package targets_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// The budgets of modules and packages. To raise one, give a reason in the commit.
const (
	maxModules, maxPackages               = 31, 420  // of a magefile
	maxSigningModules, maxSigningPackages = 116, 960 // with the tag thimble_sign
)

// TestWeight names the modules that were added or removed since testdata/weight.txt was written:
// those of a magefile, and after the line "sign" those that only signing adds.
func TestWeight(t *testing.T) {
	modules, packages := linked(t)
	signingModules, signingPackages := linked(t, "-tags=thimble_sign")
	for _, c := range []struct {
		what      string
		got, most int
	}{
		{"modules are linked into a magefile", len(modules), maxModules}, {"packages are compiled for a magefile", len(packages), maxPackages},
		{"modules are linked for signing", len(signingModules), maxSigningModules}, {"packages are compiled for signing", len(signingPackages), maxSigningPackages},
	} {
		t.Logf("%d %s", c.got, c.what)
		if c.got > c.most {
			t.Errorf("%d %s, the budget is %d", c.got, c.what, c.most)
		}
	}
	for _, p := range packages {
		for _, heavy := range []string{"sigstore", "cosign", "rekor", "fulcio", "grpc", "openapi", "theupdateframework", "kms", "openpgp", "circl", "protobuf"} {
			if strings.Contains(p, heavy) {
				t.Errorf("%s is linked; only signing needs it", p)
			}
		}
	}
	for _, p := range signingPackages {
		if strings.HasPrefix(p, "github.com/sigstore/cosign/v2/cmd") {
			t.Errorf("%s is linked; the packages below cmd bring in what no library needs", p)
		}
	}
	only := slices.DeleteFunc(signingModules, func(m string) bool { return slices.Contains(modules, m) })
	want := strings.Join(slices.Concat(modules, []string{"sign"}, only), "\n") + "\n"
	b, err := os.ReadFile(filepath.Join("testdata", "weight.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if string(b) == want {
		return
	}
	known, is := strings.Fields(string(b)), strings.Fields(want)
	for _, m := range is {
		if !slices.Contains(known, m) {
			t.Errorf("%s came in", m)
		}
	}
	for _, m := range known {
		if !slices.Contains(is, m) {
			t.Errorf("%s has gone", m)
		}
	}
	t.Errorf("if that is meant, testdata/weight.txt is\n%s", want)
}

// linked returns the modules and packages of a program that imports the targets, without the kit
// and the standard library.
func linked(t *testing.T, flags ...string) (modules, packages []string) {
	t.Helper()
	args := slices.Concat([]string{"list", "-deps", "-f={{.ImportPath}} {{with .Module}}{{.Path}}{{end}}"}, flags, []string{"."})
	out, err := testtool.Command(t, "go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(out) {
		fields := strings.Fields(string(line))
		packages = append(packages, fields[0])
		if len(fields) == 2 && fields[1] != "github.com/thimble-build/thimble" && !slices.Contains(modules, fields[1]) {
			modules = append(modules, fields[1])
		}
	}
	slices.Sort(modules)
	return modules, packages
}
