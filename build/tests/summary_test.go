// Package tests says, at the end of "go test ./...", which tests were skipped and how to
// run them. The go command starts the tests of packages in the order of their names, so
// this package, the last by its name, starts last; and as the go command shows nothing of
// what a passing package prints, the summary goes to the go command's own standard error.
package tests

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// list is where the names of the skipped tests are. The go command caches no result of a
// test that writes into the module, which is why the summary is shown every time.
const list = "skipped.txt"

// TestSummary shows what the other packages skipped. It waits until they have ended.
func TestSummary(t *testing.T) {
	deadline, ok := t.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Minute)
	}
	if err := waitForOthers(deadline.Add(-20 * time.Second)); err != nil {
		t.Log(err) // the summary shows what there is
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	var packages []skippedPackage
	if !testtool.Asked() { // with it, nothing may be skipped
		if packages, err = skipped(root); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(list, []byte(names(packages)), 0o644); err != nil {
		t.Log(err) // a module that cannot be written to
	}
	text := summary(packages)
	if text == "" {
		return
	}
	t.Log(text)
	if !testing.Verbose() {
		if err := tell(text); err != nil {
			t.Log(err) // the list has it
		}
	}
}

type skippedPackage struct {
	name  string // its folder below the module
	tests []testtool.Skipped
}

// skipped finds what was skipped in all packages below root.
func skipped(root string) ([]skippedPackage, error) {
	dirs := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, "_test.go") {
			dirs[filepath.Dir(name)] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []skippedPackage
	for dir := range dirs {
		tests, err := testtool.SkippedIn(dir)
		if err != nil {
			return nil, err
		}
		if len(tests) == 0 {
			continue
		}
		name, err := filepath.Rel(root, dir)
		if err != nil {
			return nil, err
		}
		all = append(all, skippedPackage{filepath.ToSlash(name), tests})
	}
	slices.SortFunc(all, func(a, b skippedPackage) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// names lists all tests with what they need.
func names(packages []skippedPackage) string {
	var b strings.Builder
	for _, p := range packages {
		for _, s := range p.tests {
			fmt.Fprintf(&b, "%s %s: %s\n", p.name, s.Test, s.Need)
		}
	}
	return b.String()
}

// summary says how many tests were skipped, what they need, and how to run them. It is
// empty if none was skipped.
func summary(packages []skippedPackage) string {
	const width = 100
	var lines strings.Builder
	total := 0
	for _, p := range packages {
		tests, needs := map[string]bool{}, []string{}
		for _, s := range p.tests {
			test, _, _ := strings.Cut(s.Test, "/")
			tests[test] = true
			if !slices.Contains(needs, s.Need) {
				needs = append(needs, s.Need)
			}
		}
		slices.Sort(needs)
		total += len(tests)
		line := []rune(fmt.Sprintf("  %3d in %s: %s", len(tests), p.name, strings.Join(needs, "; ")))
		if len(line) > width {
			line = append(line[:width-1], '…')
		}
		fmt.Fprintln(&lines, string(line))
	}
	if total == 0 {
		return ""
	}
	return fmt.Sprintf("\nskipped, in whole or in part: %d tests that need more than Go and git\n%s"+
		"  all of them, by name: build/tests/%s\n"+
		"  to run them too: bash .ci/run, which installs what they need (Debian), or\n"+
		"  THIMBLE_REQUIRE=1 go test -timeout 60m ./... where all of it is installed\n", total, &lines, list)
}
