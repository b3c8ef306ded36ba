package build_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// scanned wants syft to find exactly the Debian packages in an image that its one selection
// of the lock has: names, versions, architectures.

func scanned(t *testing.T, r *build.Result) {
	t.Helper()
	syft := testtool.Tool(t, "github.com/anchore/syft/cmd/syft", "v1.57.0", "")
	scan := testtool.Command(t, syft, "scan", "-q", "-o", "json", "oci-dir:"+filepath.Join(r.Dist, r.Images[0].Layout))
	scan.Env = append(os.Environ(), "SYFT_CHECK_FOR_APP_UPDATE=false")
	out, err := scan.Output()
	if err != nil {
		t.Fatalf("syft: %v", err)
	}
	var found struct {
		Artifacts []struct {
			Name, Version, Type string
			Metadata            struct{ Architecture string }
		}
		Distro struct{ ID, VersionID string }
	}
	ok(t, json.Unmarshal(out, &found))
	var got, want []string
	for _, a := range found.Artifacts {
		if a.Type == "deb" {
			got = append(got, a.Name+" "+a.Version+" "+a.Metadata.Architecture)
		}
	}
	locked := r.Plan.Lock.Debian[0]
	for _, p := range locked.Packages {
		want = append(want, p.Name+" "+p.Version+" "+p.Architecture)
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(locked.Selections) != 1 || !slices.Equal(got, want) {
		t.Errorf("syft finds %q, the lock has %q", got, want)
	}
	if found.Distro.ID != "debian" {
		t.Errorf("syft takes it for %+v", found.Distro)
	}
}
