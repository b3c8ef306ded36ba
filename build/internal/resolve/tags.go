package resolve

import (
	"context"
	"fmt"
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
	short := state.Revision[:min(hashLength, len(state.Revision))]
	return module.PseudoVersion(module.PathMajorPrefix(major), before, state.Time, short)
}

// hashLength is the length of the commit's hash in a version, as in a pseudo-version of Go.
const hashLength = 12

// describe returns the version of a commit without a tag, as git describe --tags --abbrev=12 does:
// the nearest tag that is a version, the number of commits since, and the commit. It is empty if
// HEAD's history has no such tag. Of several tags of one commit, the highest version counts.
func (t tagRules) describe(ctx context.Context, repo *git.Repo, state git.State) (string, error) {
	may := func(tag string) bool {
		name, ok := strings.CutPrefix(tag, t.prefix())
		key := "v" + strings.TrimPrefix(name, "v")
		// After build metadata, the number of commits would be metadata too.
		return ok && !strings.Contains(name, "/") && semver.IsValid(key) && semver.Build(key) == "" &&
			!module.IsPseudoVersion(key)
	}
	if !slices.ContainsFunc(state.Merged, may) {
		return "", nil
	}
	prefix := git.Quote(t.prefix())
	tags, commits, err := repo.Describe(ctx, []string{prefix + "v[0-9]*", prefix + "[0-9]*"}, may)
	if err != nil || len(tags) == 0 {
		return "", err
	}
	return fmt.Sprintf("%s-%d-g%s", t.release(tags), commits,
		state.Revision[:min(hashLength, len(state.Revision))]), nil
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
		if !ok || strings.Contains(name, "/") || slices.Contains(state.Tags, tag) || final &&
			IsPrerelease(name) {
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
