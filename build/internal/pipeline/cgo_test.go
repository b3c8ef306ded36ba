package pipeline

import (
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/plan"
)

// What cgo leaves out is said once an image, whatever its platforms and programs are, and is an
// error only if nobody decided.
func TestLeftOut(t *testing.T) {
	amd64 := plan.Platform{OS: "linux", Architecture: "amd64"}
	arm64 := plan.Platform{OS: "linux", Architecture: "arm64"}
	api := plan.Image{Name: "api", Package: "./cmd/api", Programs: []plan.Program{{Package: "./cmd/ctl", Name: "ctl"}}}
	web := plan.Image{Name: "web", Package: "./cmd/web"}
	p := &plan.Plan{Images: []plan.Image{api, web}, Platforms: []plan.Platform{amd64, arm64}}
	main, ctl := golist.Mains(p, api)[0].Key(), golist.Mains(p, api)[1].Key()
	lists := materials.Lists{
		amd64: {LeftOut: map[string][]string{main: {"example.com/sqlite"}, ctl: {"example.com/a"}}},
		arm64: {LeftOut: map[string][]string{main: {"example.com/sqlite"}}},
	}
	const left = "image api is compiled without cgo, so code of example.com/a, example.com/sqlite is left out"
	const asks = left + `; set Cgo to "on" or "off", which a release requires`
	if got := cgoNotices(p, lists, nil); !slices.Equal(got, []string{left}) {
		t.Errorf("decided: %q", got)
	}
	if got := cgoNotices(p, lists, []string{"api", "web"}); !slices.Equal(got, []string{asks}) {
		t.Errorf("not decided: %q", got)
	}
	for _, test := range []struct {
		undecided []string
		refused   bool
	}{{nil, false}, {[]string{"web"}, false}, {[]string{"api", "web"}, true}} {
		err := undecided(&resolve.Draft{Plan: p, Undecided: test.undecided}, lists)
		if (err != nil) != test.refused || err != nil && !strings.HasPrefix(err.Error(), left) {
			t.Errorf("%q undecided: %v", test.undecided, err)
		}
	}
}
