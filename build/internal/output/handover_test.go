package output_test

import (
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/output"
	"github.com/thimble-build/thimble/build/plan"
)

var (
	amd64 = plan.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = plan.Platform{OS: "linux", Architecture: "arm64"}
	armV7 = plan.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
)

func TestLoadable(t *testing.T) {
	for _, test := range []struct {
		platforms []plan.Platform
		says      string
	}{
		{platforms: []plan.Platform{amd64}},
		{platforms: []plan.Platform{arm64}}, // the engine may emulate it
		{platforms: []plan.Platform{arm64, amd64, armV7}},
		{platforms: []plan.Platform{arm64, armV7}, says: "which is linux/amd64; choose one with -platform"},
	} {
		check(t, output.Loadable(test.platforms, "amd64"), test.says)
	}
}

func TestArchivable(t *testing.T) {
	for _, test := range []struct {
		images    int
		platforms []plan.Platform
		says      string
	}{
		{images: 1, platforms: []plan.Platform{amd64}},
		{images: 2, platforms: []plan.Platform{amd64}, says: "write docker archive x.tar: it can contain only one"},
		{images: 1, platforms: []plan.Platform{amd64, arm64}, says: "write docker archive x.tar: it can contain only one"},
	} {
		p := &plan.Plan{Images: make([]plan.Image, test.images), Platforms: test.platforms}
		check(t, output.Archivable(p, "x.tar"), test.says)
	}
}

func check(t *testing.T, err error, says string) {
	t.Helper()
	if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want an error with %q", err, says)
	}
}
