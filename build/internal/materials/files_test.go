package materials

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/plan"
)

// TestModules has two platforms, which share a module.
func TestModules(t *testing.T) {
	at := func(names ...string) *List {
		for i, name := range names {
			names[i] = filepath.FromSlash(name)
		}
		return &List{Compiled: golist.Compiled{Modules: names}}
	}
	lists := Lists{
		plan.Platform{OS: "linux", Architecture: "amd64"}: at("/m/go.mod", "/m/go.sum", "/go.work"),
		plan.Platform{OS: "linux", Architecture: "arm64"}: at("/m/go.mod", "/a/go.mod"),
	}
	if got := lists.modules(); !slices.Equal(got, []string{filepath.FromSlash("/a"), filepath.FromSlash("/m")}) {
		t.Errorf("the modules are in %q", got)
	}
}
