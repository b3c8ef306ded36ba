package compile

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// fipsTag is the beginning of the build tag that the go command adds for a frozen version of the Go
// Cryptographic Module.
const fipsTag = "fips140v"

// withoutFIPS returns build tags without that one.
func withoutFIPS(tags string) string {
	all := slices.DeleteFunc(strings.Split(tags, ","),
		func(tag string) bool { return strings.HasPrefix(tag, fipsTag) })
	return strings.Join(all, ",")
}

// inFIPSMode checks that a binary has the requested version of the Go Cryptographic Module, and starts
// in FIPS 140-3 mode, or that it has neither.
func inFIPSMode(info *debug.BuildInfo, want string) error {
	got, mode := setting(info, "GOFIPS140"), setting(info, "DefaultGODEBUG")
	same := got == want || strings.HasPrefix(got, want+"-")
	if want == "certified" || want == "inprocess" { // the go command knows which version that is
		same = strings.HasPrefix(got, "v")
	}
	if !same {
		return fmt.Errorf("its GOFIPS140 is %q, the plan's %q", got, want)
	}
	on := slices.ContainsFunc(strings.Split(mode, ","),
		func(s string) bool { return s == "fips140=on" || s == "fips140=only" })
	if want != "" && !on {
		return fmt.Errorf(
			"FIPS 140-3 mode is off, although GOFIPS140 is %s: a //go:debug line or a godebug line of "+
				"go.mod switches it off; remove it", want)
	}
	return nil
}
