package targets

import (
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// made returns the result of an image for these platforms, the last of which needs more.
func made(platforms ...string) *build.Result {
	r := &build.Result{Dist: "dist"}
	r.Plan = &plan.Plan{Version: "v1.2.3", Images: []plan.Image{{Name: "api", Runtime: plan.Runtime{Ports: []string{"8080", "53/udp"}}}}}
	img := report.ImageResult{Name: "api", Reference: "ghcr.io/acme/api:v1.2.3", Digest: "sha256:ab", Layout: "oci/api"}
	for i, name := range platforms {
		p, err := plan.ParsePlatform(name)
		if err != nil {
			panic(err)
		}
		needs := []report.Need{{Need: plan.Need{Name: "tmp", Evidence: []string{"os.TempDir"}}, Files: []string{"/tmp"}}}
		if i > 1 {
			needs = append(needs, report.Need{Need: plan.Need{Name: "users", Evidence: []string{"os/user.Current"}}})
		}
		img.Platforms = append(img.Platforms, report.PlatformResult{
			Platform: p, Digest: "sha256:cd", Size: 5_100_000, Base: "scratch", Needs: needs,
			Binary: report.Binary{Path: "bin/api/x/api", Size: 9_000_000, Static: true}, Programs: []report.Binary{{Path: "bin/api/x/ctl", Size: 2_000_000, Static: true}},
			Layers: []report.Layer{{Name: "rootfs", Size: 100_000}, {Name: "binary", Size: 4_000_000}, {Name: "program ctl", Size: 1_000_000}},
			SBOM:   &report.SBOM{SPDX: "sbom/api.spdx.json", Components: 1},
		})
	}
	r.Images = []report.ImageResult{img}
	return r
}

func summary(t *testing.T, r *build.Result) string {
	t.Helper()
	var out strings.Builder
	if err := summarize(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The reasons are said once for the platforms that agree.
func TestReasonsAreSaidOnce(t *testing.T) {
	two := summary(t, made("linux/amd64", "linux/arm64"))
	if strings.Count(two, "why") != 1 || !strings.Contains(two, "\n\n  why\n") || strings.Count(two, "os.TempDir") != 1 {
		t.Errorf("the reasons of two platforms:\n%s", two)
	}
	three := summary(t, made("linux/amd64", "linux/arm64", "linux/arm/v7"))
	for _, want := range []string{"\n\n  why, on linux/amd64, linux/arm64\n", "\n\n  why, on linux/arm/v7\n"} {
		if !strings.Contains(three, want) || strings.Count(three, "why") != 2 {
			t.Errorf("the reasons of three platforms lack %q:\n%s", want, three)
		}
	}
	if !strings.Contains(three, "1 component ") || !strings.Contains(three, "program ctl  1.0 MB       2.0 MB of binary") {
		t.Errorf("the layers:\n%s", three)
	}
}

// What was loaded can be reached at the image's ports.
func TestRunItHasPorts(t *testing.T) {
	r := made("linux/amd64")
	r.Loaded = []report.Loaded{{Engine: "docker", Version: "28", ID: "sha256:ef"}}
	want := "run it    docker run --rm -p 127.0.0.1:8080:8080 -p 127.0.0.1:53:53/udp ghcr.io/acme/api:v1.2.3\n"
	if text := summary(t, r); !strings.Contains(text, want) {
		t.Errorf("the summary lacks %q:\n%s", want, text)
	}
}

// The summary of a release fits one screen of 24 lines, with all of its platforms and archives.
func TestReleaseFitsOneScreen(t *testing.T) {
	r := made("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64", "linux/s390x")
	r.Signatures, r.Attestations = make([]report.Signature, 12), make([]report.Signature, 70)
	for range 8 {
		r.Archives = append(r.Archives, report.ArchiveResult{Path: "archives/api.tar.gz", Size: 1_000_000})
	}
	r.VerifyCommands = []string{"cosign verify --key cosign.pub ghcr.io/acme/api@sha256:ab"}
	text := summary(t, r)
	if lines := strings.Count(text, "\n"); lines > 24 || strings.Count(text, "verify.sh") != 1 || strings.Contains(text, "cosign") {
		t.Errorf("%d lines:\n%s", lines, text)
	}
	for _, want := range []string{"linux/riscv64  5.1 MB  rootfs 100.0 kB, binary 4.0 MB, program ctl 1.0 MB\n", "archives  8 in dist/archives  8.0 MB\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the summary lacks %q:\n%s", want, text)
		}
	}
}
