package compile

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/plan"
)

// programs returns the programs of a plan for one platform.
func programs(p *plan.Plan, platform plan.Platform) (all []artifact.Program) {
	for _, img := range p.Images {
		all = append(all, artifact.Target{Image: img, Platform: platform}.Programs()...)
	}
	return all
}

// Programs that are called as the go command calls them are built by one process, which
// has its packages in common, if they are compiled in the same way; the others by one each.
func TestBatches(t *testing.T) {
	linux := plan.Platform{OS: "linux", Architecture: "amd64"}
	for name, test := range map[string]struct {
		images []plan.Image
		want   []string
	}{
		"names": {[]plan.Image{
			{Name: "api", Package: "example.com/m/cmd/api"}, {Name: "front", Package: "example.com/m/cmd/web"},
			{Name: "job", Package: "example.com/m/cmd/job"}, {Name: "admin", Package: "example.com/m/cmd/Admin"},
		}, []string{"admin", "api job", "front"}},
		"cgo": {[]plan.Image{
			{Name: "a", Package: "x/a"}, {Name: "b", Package: "x/b", Cgo: true}, {Name: "c", Package: "x/c"}, {Name: "other", Package: "x/d", Cgo: true},
		}, []string{"a c", "b", "other"}},
		"flags": {[]plan.Image{
			{Name: "a", Package: "x/a", LDFlags: []string{"-X=main.a=b"}}, {Name: "b", Package: "x/b"}, {Name: "c", Package: "x/c", BuildTags: []string{"c"}},
			{Name: "d", Package: "x/d", FIPS140: "latest"}, {Name: "e", Package: "x/e"},
		}, []string{"a", "b e", "c", "d"}},
		"further programs": {[]plan.Image{
			{Name: "a", Package: "x/a", Programs: []plan.Program{{Package: "x/ctl", Name: "ctl"}, {Package: "x/own", Name: "other"}, {Package: "x/tool", Name: "tool"}}},
			{Name: "b", Package: "x/b", Programs: []plan.Program{{Package: "x/ctl", Name: "ctl"}}},
		}, []string{"a b", "ctl", "ctl tool", "other"}},
	} {
		var got []string
		places := map[string]bool{}
		for _, batch := range batches(programs(&plan.Plan{Images: test.images}, linux)) {
			var names []string
			for _, p := range batch {
				names = append(names, p.Name)
				at := Path("", p)
				if places[at] || filepath.Dir(at) != filepath.Dir(Path("", batch[0])) {
					t.Errorf("%s: %s is written to %s, which another program has, or is in another folder", name, p, at)
				}
				places[at] = true
			}
			got = append(got, strings.Join(names, " "))
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
