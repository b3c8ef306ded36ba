package tree

import (
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// TestNeedPaths holds the table against what Rootfs really makes: every path is
// there, and every file is below one of the paths.
func TestNeedPaths(t *testing.T) {
	for _, need := range plan.Needs {
		tr := rootfs(t, need)
		paths := NeedPaths(need)
		if len(paths) == 0 {
			t.Errorf("%s has no paths", need)
		}
		seen := map[string]bool{}
		for _, n := range tr.Nodes() {
			name := "/" + n.Path
			if n.Mode.IsDir() {
				name += "/"
			}
			covered := false
			for _, p := range paths {
				if name == p || strings.HasSuffix(p, "/") && strings.HasPrefix(name, p) {
					covered, seen[p] = true, true
				}
			}
			if !covered && !n.Mode.IsDir() {
				t.Errorf("%s brings %s, which NeedPaths does not tell", need, name)
			}
		}
		for _, p := range paths {
			if !seen[p] {
				t.Errorf("%s does not bring %s", need, p)
			}
		}
	}
}
