// Package toolchain lists the faults of Go's toolchains by which building untrusted source can
// run code, or write files at chosen paths. It has no other faults: those that affect the built
// program are for a scanner to find.
package toolchain

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"go/version"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

// Fault is an entry of the Go vulnerability database (https://go.dev/doc/security/vuln).
type Fault struct {
	ID      string  `json:"id"`
	Summary string  `json:"summary"`
	Ranges  []Range `json:"ranges"`
}

// Range contains the versions from Introduced on and before Fixed, as the database writes them:
// "1.21.0-0"; "0" is the first, and an empty Fixed means not fixed.
type Range struct {
	Introduced string `json:"introduced"`
	Fixed      string `json:"fixed,omitempty"`
}

//go:embed faults.json
var faults []byte

// Faults returns those of a toolchain, such as "go1.21.3", in the order of their ids. An invalid
// version has none.
func Faults(goVersion string) []Fault {
	v := semantic(goVersion)
	if v == "" {
		return nil
	}
	var found []Fault
	for _, f := range list() {
		for _, r := range f.Ranges {
			if (r.Introduced == "0" || semver.Compare(v, "v"+r.Introduced) >= 0) &&
				(r.Fixed == "" || semver.Compare(v, "v"+r.Fixed) < 0) {
				found = append(found, f)
				break
			}
		}
	}
	return found
}

func list() []Fault {
	var all []Fault
	if err := json.Unmarshal(faults, &all); err != nil {
		panic(fmt.Errorf("faults.json: %w", err)) // it is compiled in, and a test reads it
	}
	return all
}

var parts = regexp.MustCompile(`^go(\d+)\.(\d+)(?:\.(\d+))?(?:(rc|beta)(\d+))?$`)

// semantic returns a toolchain's version as the database writes it, with a v: go1.24rc2 is
// v1.24.0-rc.2.
func semantic(goVersion string) string {
	goVersion, _, _ = strings.Cut(goVersion, "-")
	m := parts.FindStringSubmatch(goVersion)
	if m == nil || !version.IsValid(goVersion) {
		return ""
	}
	patch := m[3]
	if patch == "" {
		patch = "0"
	}
	v := "v" + m[1] + "." + m[2] + "." + patch
	if m[4] != "" {
		v += "-" + m[4] + "." + m[5]
	}
	return v
}
