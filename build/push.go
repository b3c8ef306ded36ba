package build

import (
	"context"
	"errors"

	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/registry"
)

// Push makes the images for every platform of the release's set, pushes them by
// digest, and then points one tag at each, the revision's: for previews, unsigned.
func Push(ctx context.Context, o Options) (*Result, error) {
	if len(o.Platforms) == 0 {
		o.Platforms = []string{"all"}
	}
	p := &release{}
	defer p.close()
	return produce(ctx, o, job{images: true, prepare: p.preparePush, deliver: p.deliverPush, finish: p.finish})
}

// preparePush logs in, and replaces the tags by the revision.
func (rel *release) preparePush(ctx context.Context, r *run) error {
	rel.run = r
	p := r.resolved.Plan
	if p.Revision == "" {
		return errors.New("push: there is no commit to name the image after; commit first, or use \"mage release\" with a version")
	}
	rel.Config.Release.MovingTags = nil
	return rel.stage("preflight", func() (string, error) {
		if err := rel.openRepositories(ctx); err != nil {
			return "", err
		}
		if len(rel.destinations) == 0 {
			return "", errors.New("push: there is no repository; set THIMBLE_REPOSITORY, such as ghcr.io/acme")
		}
		return "", nil
	})
}

func (rel *release) deliverPush(ctx context.Context, _ *publish.Dist, _ []*unit) error {
	tag := rel.resolved.Plan.Revision
	if rel.resolved.Plan.Dirty {
		tag += "-dirty"
	}
	for i, d := range rel.destinations {
		// What a revision gives changes with the toolchain and the settings, and a
		// preview is the newest of them.
		rel.destinations[i].tags = []registry.Tag{{Name: tag, Moving: true}}
		index := rel.indexes[d.image.Name]
		if err := rel.stage("push "+d.name, func() (string, error) { return "", d.repo.Push(ctx, index) }); err != nil {
			return err
		}
	}
	rel.pushed = tag
	return nil
}
