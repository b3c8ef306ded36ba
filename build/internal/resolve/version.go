package resolve

import (
	goversion "go/version"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/thimble-build/thimble/build/internal/git"
)

// unknown is the version where git tells none.
const unknown = "unknown"

// worktrees is the first Go whose go command stamps in a linked worktree and in a submodule.
const worktrees = "go1.27"

// fromGit fills in the revision and the version. What the go command stamps is not
// foretold: it is read from the binary, and must be of the same commit.
func (r *Resolved) fromGit(state git.State, workdir string) {
	p := r.Plan
	p.Revision, p.Shallow = state.Revision, state.Shallow
	if p.Source == "" {
		p.Source = state.Remote
	}
	if rel, err := filepath.Rel(r.repo.Root, workdir); err == nil && rel != "." && filepath.IsLocal(rel) {
		p.Workdir = filepath.ToSlash(rel)
	}
	if state.Revision == "" {
		r.version, p.Build.Stamp = unknown, false
		r.notice("the version is unknown: the git repository has no commit yet")
		return
	}
	if r.repo.Linked && p.Build.Stamp && goversion.Compare(p.Toolchain.Version, worktrees) < 0 {
		p.Build.Stamp = false // it would find the wrong commit where one is inside the other
		r.notice("the binary carries no commit: the go command stamps in a linked worktree or a submodule from Go 1.27 on")
	}
	if p.Build.Stamp {
		p.Build.VCSTime = state.Time.Format("2006-01-02T15:04:05Z")
	}

	dir, err := filepath.Rel(r.repo.Root, r.Dir)
	if err != nil {
		dir = "."
	}
	tags := tagRules{path: p.Module.Path, dir: filepath.ToSlash(dir)}
	r.tags, r.previous = tags, tags.previous(state)
	r.version = tags.version(state)
	if tag := tags.release(state.Tags); tag != "" {
		r.version, r.Tagged = tag, true
	} else {
		for _, tag := range state.Tags {
			if why := tags.noVersion(tag); why != "" {
				r.notice("the tag %s is not the version: %s", tag, why)
			}
		}
	}
	if v := tags.version(state); state.Shallow && module.IsPseudoVersion(v) {
		r.notice("the version %s comes from a shallow clone and a full one gives another: git fetch --unshallow --tags", v)
	}
}

// KeepSymbols leaves out the linker flags that leave symbols out.
func (r *Resolved) KeepSymbols() {
	drop := func(flags []string) []string {
		return slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return f == "-s" || f == "-w" })
	}
	r.ldflags, r.Plan.Build.LDFlags = drop(r.ldflags), drop(r.Plan.Build.LDFlags)
}

// SetDirty writes into the plan that a file makes the tree differ from the commit, and
// why; that nothing does if file is "". The version, the tags and the linker flags say the
// same.
func (r *Resolved) SetDirty(file, cause string) error {
	p := r.Plan
	p.Dirty, p.DirtyFile, p.DirtyCause = file != "", file, cause
	p.Version = r.version
	if p.Dirty && p.Version != unknown {
		p.Version += "+dirty"
	}
	for i := range p.Images {
		p.Images[i].Tags = []string{Tag(p.Version)}
	}
	if r.expanded {
		p.Build.LDFlags = slices.Clone(r.ldflags)
		return nil
	}
	var err error
	p.Build.LDFlags, err = expand(r.ldflags, p, r.committed)
	return err
}

// tagRules are the rules by which tags become versions of one module
// (https://go.dev/ref/mod#vcs-version).
type tagRules struct {
	// path is the module's path, dir its folder in the repository, "." at the
	// root.
	path, dir string
}

// prefix is what the module's tags begin with. A folder that is named for a
// major version is not part of it.
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

// canonical is the version that a tag stands for; "" if it is none. exact says
// that the tag is written canonically, without build metadata.
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

// version is the module's version at HEAD: the highest tag there, else a
// pseudo-version on the highest tag in HEAD's history.
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

// release is the tag at HEAD that names the release, as it is written but for
// the module's prefix: one that Go takes for a version before any other, and
// among those the highest.
func (t tagRules) release(tags []string) string {
	best, bestKey := "", ""
	for _, tag := range tags {
		name, ok := strings.CutPrefix(tag, t.prefix())
		if !ok || strings.Contains(name, "/") {
			continue
		}
		key := "v" + strings.TrimPrefix(name, "v")
		if !semver.IsValid(key) {
			continue // such as "stable": no version at all
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

// previous is the tag of the release before HEAD, whole: the highest version in HEAD's
// history that is not at HEAD, and no pre-release where HEAD is none; "" if there is none.
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

// IsPrerelease says whether a version, with or without its v, comes before a final one, as
// v1.2.3-rc.1 does, and every pseudo-version (semver.org, clause 9).
func IsPrerelease(version string) bool {
	return semver.Prerelease("v"+strings.TrimPrefix(version, "v")) != ""
}

// versionLike are names that somebody may mean as a version.
var versionLike = regexp.MustCompile(`(?i)^(v|version|release|rel)?[-_.]?[0-9]+[._][0-9]`)

// noVersion says why a tag that looks like a version is none; "" for any other.
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
			return "the v of a version is a small letter"
		}
		return "nothing but a v stands before the numbers of a version"
	case len(parts) > 3:
		return "a version has three numbers (semver.org)"
	case slices.ContainsFunc(parts, func(n string) bool { return len(n) > 1 && n[0] == '0' }):
		return "no number of a version begins with a zero (semver.org)"
	}
	return "it does not have the form of a version (semver.org), such as v1.2.3 or v1.2.3-rc.1"
}
