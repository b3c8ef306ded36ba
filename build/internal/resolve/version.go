package resolve

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/thimble-build/thimble/build/internal/git"
)

// fromGit fills in the revision, the version and whether the tree is dirty, and
// foretells what the go command will stamp (cmd/go/internal/load.setBuildInfo):
// compile compares the two.
func (r *Resolved) fromGit(ctx context.Context, state git.State, workdir string) error {
	p := r.Plan
	p.Revision, p.Shallow = state.Revision, state.Shallow
	if p.Source == "" {
		p.Source = state.Remote
	}
	if rel, err := filepath.Rel(r.repo.Root, workdir); err == nil && rel != "." && filepath.IsLocal(rel) {
		p.Workdir = filepath.ToSlash(rel)
	}
	r.changed = state.Changed
	if len(state.Changed) > 0 {
		p.Dirty, p.DirtyFile = true, state.Changed[0]
	}
	if state.Revision == "" {
		p.Version, p.ModuleVersion, p.Build.Stamp = "unknown", "(devel)", false
		r.notice("the version is unknown: the git repository has no commit yet")
		return nil
	}
	if r.repo.Linked && p.Build.Stamp {
		p.Build.Stamp = false
		r.notice("the binary carries no commit: the go command does not stamp in a linked worktree or a submodule")
	}
	if p.Build.Stamp {
		p.Build.VCSModified = p.Dirty
		p.Build.VCSTime = state.Time.Format("2006-01-02T15:04:05Z")
	}

	dir, err := filepath.Rel(r.repo.Root, r.Dir)
	if err != nil {
		dir = "."
	}
	tags := tagRules{path: p.Module.Path, dir: filepath.ToSlash(dir)}
	r.tags, r.previous = tags, tags.previous(state)
	version := tags.version(state)
	if p.Dirty {
		version += "+dirty"
	}
	p.ModuleVersion = "(devel)"
	if p.Build.Stamp && tags.stamped(r.repo.Root) {
		committed, err := r.declared(ctx, tags, state)
		if err != nil {
			return err
		}
		if committed {
			p.ModuleVersion = version
		}
	}
	p.Version = version
	if tag := tags.release(state.Tags); tag != "" {
		p.Version, r.Tagged = tag, true
		if p.Dirty {
			p.Version += "+dirty"
		}
	}
	if state.Shallow && module.IsPseudoVersion(strings.TrimSuffix(version, "+dirty")) {
		r.notice("the version %s comes from a shallow clone and a full one gives another: git fetch --unshallow --tags", version)
	}
	return nil
}

// declared says whether the commit has the module, with its major version: the go
// command stamps none that is new in the working tree, but at the root
// (cmd/go/internal/modfetch.codeRepo.findDir).
func (r *Resolved) declared(ctx context.Context, tags tagRules, state git.State) (bool, error) {
	name := path.Join(tags.dir, "go.mod")
	if !slices.ContainsFunc(state.Unclean, func(f string) bool { return f == name || strings.HasSuffix(f, "/") && strings.HasPrefix(name, f) }) {
		return true, nil // the commit has what is in the working tree
	}
	gomod, err := r.repo.Committed(ctx, name)
	_, major, _ := module.SplitPathVersion(tags.path)
	if errors.Is(err, fs.ErrNotExist) {
		return tags.dir == "." && major == "", nil
	}
	if err != nil {
		return false, err
	}
	_, was, ok := module.SplitPathVersion(modfile.ModulePath(gomod))
	return ok && module.PathMajorPrefix(was) == module.PathMajorPrefix(major), nil
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

// previous is the tag of the release before HEAD, whole: the highest version in
// HEAD's history that is not at HEAD; "" if there is none.
func (t tagRules) previous(state git.State) string {
	best, bestKey := "", ""
	for _, tag := range state.Merged {
		name, ok := strings.CutPrefix(tag, t.prefix())
		if !ok || strings.Contains(name, "/") || slices.Contains(state.Tags, tag) {
			continue
		}
		key := "v" + strings.TrimPrefix(name, "v")
		if semver.IsValid(key) && (best == "" || semver.Compare(key, bestKey) > 0) {
			best, bestKey = tag, key
		}
	}
	return best
}

// stamped says whether the go command stamps a main module version at all: only
// where the repository's root has a go.mod whose path is a prefix of this
// module's.
func (t tagRules) stamped(root string) bool {
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return false
	}
	codeRoot, _, ok := module.SplitPathVersion(modfile.ModulePath(gomod))
	if !ok || codeRoot == "" {
		return false
	}
	want := codeRoot
	if t.dir != "." {
		want += "/" + t.dir
	}
	if !strings.HasPrefix(t.path+"/", codeRoot+"/") {
		return false // gopkg.in/yaml.v2 is not below gopkg.in/yaml
	}
	path, major, _ := module.SplitPathVersion(t.path)
	return path == want || path+major == want || t.path == want
}
