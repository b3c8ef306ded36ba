package resolve

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/thimble-build/thimble/build/internal/git"
)

// tagRules are the rules that turn tags into versions of one module
// (https://go.dev/ref/mod#vcs-version).
type tagRules struct {
	// path is the module's path. dir is its folder in the repository, "." at the root.
	path, dir string
}

// prefix returns the prefix of the module's tags. A folder that is named after a major version
// is not part of it.
func (t tagRules) prefix() string {
	dir := t.dir
	if _, major, ok := module.SplitPathVersion(t.path); ok && major != "" {
		if m := strings.TrimPrefix(major, "/"); dir == m {
			dir = "."
		} else {
			dir = strings.TrimSuffix(dir, "/"+m)
		}
	}
	if dir == "." {
		return ""
	}
	return dir + "/"
}

// canonical returns the version that a tag names; "" if it names none. exact says that the tag
// is written canonically, without build metadata.
func (t tagRules) canonical(tag string) (v string, exact bool) {
	tag, ok := strings.CutPrefix(tag, t.prefix())
	if !ok || module.IsPseudoVersion(tag) {
		return "", false
	}
	v = semver.Canonical(tag)
	if v == "" || !strings.HasPrefix(tag, v) {
		return "", false
	}
	return v, v == tag
}

func (t tagRules) allowed(v string) bool {
	_, major, ok := module.SplitPathVersion(t.path)
	return ok && module.MatchPathMajor(v, major)
}

// version returns the module's version at HEAD: the highest tag there, else a pseudo-version
// based on the highest tag in HEAD's history.
func (t tagRules) version(state git.State) string {
	var at, before string
	for _, tag := range state.Tags {
		if v, exact := t.canonical(tag); exact && t.allowed(v) && semver.Compare(v, at) > 0 {
			at = v
		}
	}
	if at != "" {
		return at
	}
	for _, tag := range state.Merged {
		if v, _ := t.canonical(tag); v != "" && t.allowed(v) && semver.Compare(v, before) > 0 {
			before = v
		}
	}
	_, major, _ := module.SplitPathVersion(t.path)
	short := state.Revision[:min(12, len(state.Revision))]
	return module.PseudoVersion(module.PathMajorPrefix(major), before, state.Time, short)
}

// release returns the tag at HEAD that names the release, as written but without the module's
// prefix. Tags that Go accepts as versions come first, then the highest.
func (t tagRules) release(tags []string) string {
	best, bestKey := "", ""
	for _, tag := range tags {
		name, ok := strings.CutPrefix(tag, t.prefix())
		if !ok || strings.Contains(name, "/") {
			continue
		}
		key := "v" + strings.TrimPrefix(name, "v")
		if !semver.IsValid(key) {
			continue // such as "stable": not a version
		}
		if v, exact := t.canonical(tag); exact && t.allowed(v) {
			return t.version(git.State{Tags: tags})
		}
		if best == "" || semver.Compare(key, bestKey) > 0 {
			best, bestKey = name, key
		}
	}
	return best
}

// previous returns the complete tag of the release before HEAD; "" if there is none. It is the
// highest version in HEAD's history that is not at HEAD. It is not a pre-release, unless HEAD
// is one.
func (t tagRules) previous(state git.State) string {
	now := t.release(state.Tags)
	final := now != "" && !IsPrerelease(now)
	best, bestKey := "", ""
	for _, tag := range state.Merged {
		name, ok := strings.CutPrefix(tag, t.prefix())
		if !ok || strings.Contains(name, "/") || slices.Contains(state.Tags, tag) || final && IsPrerelease(name) {
			continue
		}
		key := "v" + strings.TrimPrefix(name, "v")
		if semver.IsValid(key) && (best == "" || semver.Compare(key, bestKey) > 0) {
			best, bestKey = tag, key
		}
	}
	return best
}

// IsPrerelease reports whether a version, with or without its v, is before a final one, such as
// v1.2.3-rc.1 and every pseudo-version (semver.org, clause 9).
func IsPrerelease(version string) bool {
	return semver.Prerelease("v"+strings.TrimPrefix(version, "v")) != ""
}

// versionLike matches names that may be meant as a version.
var versionLike = regexp.MustCompile(`(?i)^(v|version|release|rel)?[-_.]?[0-9]+[._][0-9]`)

// noVersion returns why a tag that looks like a version is not one; "" for any other tag.
func (t tagRules) noVersion(tag string) string {
	name, ok := strings.CutPrefix(tag, t.prefix())
	rest := strings.TrimPrefix(name, "v")
	if !ok || !versionLike.MatchString(name) || semver.IsValid("v"+rest) {
		return ""
	}
	numbers, _, _ := strings.Cut(rest, "-")
	numbers, _, _ = strings.Cut(numbers, "+")
	parts := strings.Split(numbers, ".")
	switch {
	case rest[0] < '0' || rest[0] > '9':
		if semver.IsValid("v" + strings.TrimLeft(rest, "V")) {
			return "the v of a version must be lower case"
		}
		return "only a v is allowed before the numbers of a version"
	case len(parts) > 3:
		return "a version has three numbers (semver.org)"
	case slices.ContainsFunc(parts, func(n string) bool { return len(n) > 1 && n[0] == '0' }):
		return "a number of a version does not begin with a zero (semver.org)"
	}
	return "it does not have the form of a version (semver.org), such as v1.2.3 or v1.2.3-rc.1"
}
