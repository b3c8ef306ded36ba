package compile

import (
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// Programs that are called as the go command calls them are built by one process, which
// has its packages in common; the others by one each.
func TestBatches(t *testing.T) {
	images := []plan.Image{
		{Name: "api", Package: "example.com/m/cmd/api"}, {Name: "front", Package: "example.com/m/cmd/web"},
		{Name: "job", Package: "example.com/m/cmd/job"}, {Name: "admin", Package: "example.com/m/cmd/Admin"},
	}
	var got []string
	for _, batch := range batches(images) {
		var names []string
		for _, img := range batch {
			names = append(names, img.Name)
		}
		got = append(got, strings.Join(names, " "))
	}
	slices.Sort(got)
	if want := []string{"admin", "api job", "front"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
