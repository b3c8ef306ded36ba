package reproduce

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Own is the commit of a plan in this repository, as the source of a clean room.
type Own struct {
	Source
	repo *git.Repo
}

// OwnSource finds the commit of a plan, which is from an earlier build of this repository.
func OwnSource(s *session.Session, p *plan.Plan) (*Own, error) {
	if p.Revision == "" {
		return nil, errors.New(
			"reproduce: the build has no commit, so nobody else can build it; commit the tree, and build " +
				"it again")
	}
	repo, err := git.Open(s.ModuleDir(), s.Env)
	if err != nil {
		return nil, fmt.Errorf("reproduce: %w", err)
	}
	workdir, err := filepath.Rel(repo.Root, s.Workdir)
	if err != nil {
		return nil, fmt.Errorf("reproduce: %w", err)
	}
	o := &Own{repo: repo, Source: Source{
		From: repo.Root, Commit: p.Revision,
		Elsewhere: "find a commit that was built and is gone with git reflog",
		Workdir:   filepath.ToSlash(workdir), Config: s.Config,
	}}
	if o.Config.Source == "" {
		o.Config.Source = p.Source // the remote of the clone is a folder
	}
	for _, platform := range p.Platforms {
		o.Platforms = append(o.Platforms, platform.String())
	}
	return o, nil
}

// Generated reads the files of the working tree that a build in a clean room generated; nil if
// another commit is checked out.
func (o *Own) Generated(ctx context.Context, built Built) (map[string][]byte, error) {
	state, err := o.repo.State(ctx)
	if err != nil || state.Revision != o.Commit {
		return nil, err
	}
	root, err := os.OpenRoot(o.repo.Root)
	if err != nil {
		return nil, fmt.Errorf("read what the build generated: %w", err)
	}
	defer root.Close() // only read
	return readGenerated(root, built.Generated)
}
