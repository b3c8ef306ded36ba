package goreleaser

import (
	"regexp"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/init/yamltree"
)

// imageNames reads the names and tags of images.
type imageNames struct {
	outcomes
	templates
	// registries and moving are what is said already.
	registries, moving map[string]bool
}

// images reads names of images, with or without tags. Where images are pushed to is the
// user's choice, so that each registry is named once, by hand.
func (n imageNames) images(e yamltree.Entry) {
	for _, t := range yamltree.Texts(e.Value) {
		name, tag := t.Value, ""
		if slash := strings.LastIndex(name, "/"); strings.Contains(name[slash+1:], ":") {
			colon := slash + 1 + strings.Index(name[slash+1:], ":")
			name, tag = name[:colon], name[colon+1:]
		}
		prefix, ok := cutName(stamp.Show(n.translated(name)))
		if !ok {
			prefix = "docker.io/library"
		} else if !strings.Contains(strings.SplitN(prefix, "/", 2)[0], ".") {
			prefix = "docker.io/" + prefix
		}
		if !n.registries[prefix] {
			n.registries[prefix] = true
			n.byHand(t.Line, t.Value, "you decide where images are pushed to", "Repository",
				`Repository: "`+prefix+`",`)
			continue
		}
		n.tag(t.Line, t.Value, tag)
	}
}

// cutName returns the name of an image without its last element.
func cutName(name string) (prefix string, ok bool) {
	if i := strings.LastIndex(name, "/"); i >= 0 {
		return name[:i], true
	}
	return "", false
}

// tags reads tags of images.
func (n imageNames) tags(e yamltree.Entry) {
	for _, t := range yamltree.Texts(e.Value) {
		n.tag(t.Line, "tags: "+t.Value, t.Value)
	}
}

var (
	architecture = regexp.MustCompile(
		`-(\{\{.*\}\}|amd64|x86_64|x64|arm64|aarch64|arm|armhf|arm(?:v|32v)?[567]|arm64v8|i?386|x86|` +
			`mips\w*|ppc64(?:le)?|s390x|riscv64|loong64)(-|$)`)
	spaces = regexp.MustCompile(`\s+`)
)

// tag reads a tag of an image.
func (n imageNames) tag(line int, text, tag string) {
	plain := spaces.ReplaceAllString(architecture.ReplaceAllString(tag, "$2"), "")
	translated := n.translated(plain)
	switch {
	case plain == "", translated == "{{.Tag}}", translated == "{{.Version}}", translated == "v{{.Version}}":
		n.add(line, text, finding.NotNeeded, "a release sets the version's tag, on an index of all platforms")
	case n.moving[plain]:
		n.add(line, text, finding.NotNeeded, "an image is one index of all platforms")
	default:
		n.moving[plain] = true
		moving := strings.NewReplacer("{{.Major}}", "1", "{{.Minor}}", "2").Replace(plain)
		if strings.Contains(moving, "{{") {
			n.byHand(line, text, "a release has one tag for its version, and moving tags of fixed text",
				"Release", "")
			return
		}
		n.byHand(line, text, "a release can move further tags", "Release",
			`Release: build.ReleaseConfig{MovingTags: []string{"`+moving+`"}},`)
	}
}
