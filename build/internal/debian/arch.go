package debian

import (
	"fmt"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// architectures are Debian's names of the supported platforms.
var architectures = map[string]string{
	"linux/amd64":   "amd64",
	"linux/arm64":   "arm64",
	"linux/arm/v7":  "armhf",
	"linux/ppc64le": "ppc64el",
	"linux/riscv64": "riscv64",
	"linux/s390x":   "s390x",
}

// Suites are the supported suites, the newest first.
var Suites = []string{"trixie", "bookworm"}

// release is a suite's number.
var release = map[string]string{"trixie": "13", "bookworm": "12"}

// Architecture returns Debian's name of a platform: linux/arm/v7 is "armhf". Variants of other
// architectures use the packages of their baseline. If the suite has no packages for the
// platform, the error lists the supported ones.
func Architecture(suite string, p plan.Platform) (string, error) {
	if err := checkSuite(suite); err != nil {
		return "", err
	}
	if p.Architecture != "arm" {
		p.Variant = ""
	}
	arch, ok := architectures[p.String()]
	if ok && (arch != "riscv64" || suite != "bookworm") {
		return arch, nil
	}
	var known []string
	for platform, arch := range architectures {
		if arch != "riscv64" || suite != "bookworm" {
			known = append(known, platform)
		}
	}
	slices.Sort(known)
	return "", fmt.Errorf("find Debian's packages for %s: %s has them for %s", p, suite,
		strings.Join(known, ", "))
}

func checkSuite(suite string) error {
	if release[suite] == "" {
		return fmt.Errorf("suite %q is unknown; known are %s", suite, strings.Join(Suites, " and "))
	}
	return nil
}
