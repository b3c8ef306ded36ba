package resolve

import (
	"context"
	"strings"

	"github.com/thimble-build/thimble/build/internal/git"
)

// History returns the tag of the previous release, with the module's prefix, and the commits
// since, newest first. For a final version, the previous release is the previous final version.
// Without such a tag it returns all commits, without git none. For a module in a subfolder it
// returns only commits that change the subfolder.
func (r *Draft) History(ctx context.Context) (previous string, commits []git.Commit, err error) {
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

// Previous returns the version of the release before HEAD, without the module's prefix; "" if
// there is none.
func (r *Draft) Previous() string { return strings.TrimPrefix(r.previous, r.tags.prefix()) }

// TagPrefix returns the prefix of this module's tags: "" at the repository's root, "svc/" in
// the folder svc.
func (r *Draft) TagPrefix() string { return r.tags.prefix() }
