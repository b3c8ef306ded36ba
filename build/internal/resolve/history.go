package resolve

import (
	"context"
	"strings"

	"github.com/thimble-build/thimble/build/internal/git"
)

// History returns the tag of the release before this one, with the module's
// prefix, and the commits since, the newest first. The release before a final version is a
// final one. Without such a tag they are all
// commits, and without git none. For a module in a subfolder only the commits that
// touch the subfolder count.
func (r *Resolved) History(ctx context.Context) (previous string, commits []git.Commit, err error) {
	if r.repo == nil || r.Plan.Revision == "" {
		return "", nil, nil
	}
	dir := "."
	if r.tags.prefix() != "" {
		dir = r.tags.dir
	}
	commits, err = r.repo.Log(ctx, r.previous, dir)
	return r.previous, commits, err
}

// Previous is the version of the release before HEAD, without the module's prefix; "" if
// there is none.
func (r *Resolved) Previous() string { return strings.TrimPrefix(r.previous, r.tags.prefix()) }

// TagPrefix is what the tags of this module begin with: "" at the repository's root,
// "svc/" in the folder svc.
func (r *Resolved) TagPrefix() string { return r.tags.prefix() }
