package settings

import (
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
)

// generic are parts of the names of images that only have what thimble adds by itself.
var generic = []string{
	"alpine", "debian", "ubuntu", "busybox", "distroless", "chainguard", "wolfi", "ubi", "centos", "fedora",
	"rockylinux", "almalinux", "photon", "amazonlinux", "golang",
	"scratch", "bookworm", "bullseye", "trixie", "minimal", "static", "buildpack-deps", "opensuse",
	"baseimage", "cgr.dev",
}

func isGeneric(base string) bool {
	return base == "scratch" || slices.ContainsFunc(generic,
		func(g string) bool { return strings.Contains(strings.ToLower(base), g) })
}

// From handles the FROM of a stage that an image needs.
func From(st *state.State, lines *outcome.Lines) {
	s := st.Stage
	switch {
	case s.Parent != nil:
		lines.Say(s.From, finding.NotNeeded, "it continues stage "+s.Parent.Title())
	case st.Ships():
		imageBase(st, lines)
	case strings.Contains(s.Base, "golang") || strings.Contains(s.Base, "/go:"):
		lines.Say(s.From, finding.NotNeeded, "your go command compiles")
	default:
		lines.Say(s.From, finding.NotNeeded, "nothing of a build stage is in the image unless it is copied")
	}
}

// imageBase handles the FROM of an image.
func imageBase(st *state.State, lines *outcome.Lines) {
	base := st.Base
	line := lines.Say(st.Stage.From, finding.NotNeeded, "the image has only what the binary needs")
	st.FromLine = line
	switch {
	case base == "scratch":
		line.Reason = "scratch is the default"
	case base == "" || strings.HasSuffix(base, ":") || strings.HasPrefix(base, ":") ||
		strings.Contains(base, "placeholder"):
		outcome.ByHand(line, "Base", "its name has no value without --build-arg",
			`Base: "…", or nothing for scratch`)
	case !isGeneric(base):
		outcome.Imported(line, "Base; mage lock pins it")
	}
	st.NonRoot = strings.Contains(base, "nonroot") || strings.Contains(base, "chainguard/static")
}
