package resolve

import (
	"cmp"
	"context"
	goversion "go/version"
	"path/filepath"
	"slices"

	"github.com/thimble-build/thimble/build/internal/git"
)

// unknown is the version if git has none.
const unknown = "unknown"

// worktrees is the first Go version that stamps in a linked worktree and in a submodule.
const worktrees = "go1.27"

// fromGit sets the revision and the version. It does not predict the go command's stamp, which
// is read from the binary and must be of the same commit.
func (r *Draft) fromGit(ctx context.Context, state git.State, workdir string) error {
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
		return nil
	}
	if r.repo.Linked && p.Build.Stamp && goversion.Compare(p.Toolchain.Version, worktrees) < 0 {
		p.Build.Stamp = false // it would find the wrong commit if one is inside the other
		r.notice(
			"the binary carries no commit: the go command stamps in a linked worktree or a submodule from " +
				"Go 1.27 on")
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
		return nil
	}
	for _, tag := range state.Tags {
		if why := tags.noVersion(tag); why != "" {
			r.notice("the tag %s is not the version: %s", tag, why)
		}
	}
	described, err := tags.describe(ctx, r.repo, state)
	if err != nil {
		return err
	}
	r.version = cmp.Or(described, r.version)
	if state.Shallow {
		r.notice(
			"the version %s comes from a shallow clone, and a full clone gives another; run git fetch "+
				"--unshallow --tags", r.version)
	}
	return nil
}

// setDirty records in the plan that file makes the tree differ from the commit, and the cause;
// file is "" if there is no difference. It changes the version, the tags and the linker flags
// accordingly.
func (r *Draft) setDirty(file, cause string) error {
	p := r.Plan
	p.Dirty, p.DirtyFile, p.DirtyCause = file != "", file, cause
	p.Version = r.version
	if p.Dirty && p.Version != unknown {
		p.Version += "+dirty"
	}
	for i := range p.Images {
		img := &p.Images[i]
		img.Tags = []string{Tag(p.Version + r.suffix)}
		var err error
		if img.LDFlags, err = r.expand(r.ownFlags[img.Name]); err != nil {
			return err
		}
	}
	var err error
	p.Build.LDFlags, err = r.expand(r.ldflags)
	return err
}

// expand expands linker flags for the plan, unless those of Config are expanded.
func (r *Draft) expand(flags []string) ([]string, error) {
	if r.expanded || len(flags) == 0 {
		return slices.Clone(flags), nil
	}
	return expand(flags, r.Plan, r.committed)
}
