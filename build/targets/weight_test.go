package targets_test

import (
	"debug/buildinfo"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// maxModules is the budget of modules that are linked into a magefile. Raising it
// takes a reason in the commit.
const maxModules = 114

// TestWeight names the modules that came in or left since testdata/weight.txt was
// written, so that nobody takes one without noticing; "go test ./build/targets
// -run Weight" says what to put there.
func TestWeight(t *testing.T) {
	info, err := buildinfo.ReadFile(exe(filepath.Join(tools, "mage")))
	if err != nil {
		t.Fatal(err)
	}
	var linked []string
	for _, m := range info.Deps {
		linked = append(linked, m.Path)
	}
	slices.Sort(linked)
	t.Logf("%d modules are linked into a magefile", len(linked))
	if len(linked) > maxModules {
		t.Errorf("%d modules are linked into a magefile, the budget is %d", len(linked), maxModules)
	}
	b, err := os.ReadFile(filepath.Join("testdata", "weight.txt"))
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(string(b))
	for _, m := range linked {
		if !slices.Contains(known, m) {
			t.Errorf("%s came in", m)
		}
	}
	for _, m := range known {
		if !slices.Contains(linked, m) {
			t.Errorf("%s has gone", m)
		}
	}
	if t.Failed() {
		t.Logf("if that is meant, testdata/weight.txt is\n%s", strings.Join(linked, "\n"))
	}

	packages, err := testtool.Command(t, "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for p := range strings.FieldsSeq(string(packages)) {
		if strings.HasPrefix(p, "github.com/sigstore/cosign/v2/cmd") {
			t.Errorf("%s is linked; the packages below cmd bring in what no library needs", p)
		}
	}
}
