package targets

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// TestSummary holds the summary of a release against testdata/summary.md: an image that
// grew, one that shrank, one that is the same, and one that is new.
func TestSummary(t *testing.T) {
	amd, arm, riscv := plan.Platform{OS: "linux", Architecture: "amd64"}, plan.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}, plan.Platform{OS: "linux", Architecture: "riscv64"}
	platform := func(p plan.Platform, digest string, size int64) report.PlatformResult {
		return report.PlatformResult{Platform: p, Digest: "sha256:" + digest, Size: size, SBOM: &report.SBOM{Components: 43}}
	}
	r := &build.Result{Dist: "dist", VerifyCommands: []string{"cosign verify --key cosign.pub ghcr.io/acme/api@sha256:aa"}}
	r.Signatures, r.Attestations = make([]report.Signature, 6), make([]report.Signature, 24)
	r.Images = []report.ImageResult{
		{Name: "api", Reference: "ghcr.io/acme/api:v1.1.0", Digest: "sha256:aa", Platforms: []report.PlatformResult{
			platform(amd, "a1", 9_541_827), platform(arm, "a2", 8_400_000), platform(riscv, "a3", 9_000_000),
		}},
		{Name: "job", Reference: "ghcr.io/acme/job:v1.1.0", Digest: "sha256:bb", Platforms: []report.PlatformResult{platform(amd, "b1", 700), platform(arm, "b2", 7000)}},
		{Name: "new", Reference: "ghcr.io/acme/new:v1.1.0", Digest: "sha256:cc", Platforms: []report.PlatformResult{platform(amd, "c1", 700)}},
	}
	r.Previous = map[string]report.PreviousImage{
		"api": {Tag: "v1.0.0", Digest: "sha256:00", Platforms: []report.PlatformResult{platform(amd, "00", 9_529_500), platform(arm, "01", 8_500_000)}},
		"job": {Tag: "v1.0.0", Digest: "sha256:bb", Platforms: []report.PlatformResult{platform(amd, "b1", 700), platform(arm, "02", 7000)}},
	}
	want, err := os.ReadFile(filepath.Join("testdata", "summary.md"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := markdown(r)
	if err != nil || string(got) != string(want) {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestInCI(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        bool
	}{
		{"CI", "true", true}, {"CI", "false", false}, {"CI", "", false}, {"GITLAB_CI", "true", true}, {"GITHUB_STEP_SUMMARY", "/tmp/x", true}, {"HOME", "/root", false},
	} {
		got := inCI(func(name string) string {
			if name == test.name {
				return test.value
			}
			return ""
		})
		if got != test.want {
			t.Errorf("%s=%s: %t", test.name, test.value, got)
		}
	}
}
