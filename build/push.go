package build

import (
	"context"
	"errors"

	"github.com/thimble-build/thimble/build/internal/release"
)

// Push makes the images for every platform of a release, pushes them by digest, and then points
// one tag at each, named after the revision and, if the tree differs from it, "-dirty". The images
// are previews and unsigned. A tree without a commit is an error.
func Push(ctx context.Context, o PushOptions) (result *Result, err error) {
	m := making{images: true, skipTests: o.SkipTests, summary: o.Summary}
	c, err := begin(ctx, o.forAllPlatforms(), m, true)
	if err != nil {
		return nil, err
	}
	draft, err := c.resolve(ctx, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = c.Unfetched(draft.Go, err) }()
	if draft.Plan.Revision == "" {
		return nil, errors.New("push: there is no commit, which gives the image its tag; " +
			"commit first, or use \"mage release\" with a version")
	}
	to, err := release.PreflightPreview(ctx, c.Session, draft.Plan)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	dest, err := c.open(ctx, draft, "", true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dest.close()) }()
	made, err := c.build(ctx, draft, dest, nil)
	if err != nil {
		return nil, err
	}
	defer c.done(made)
	tag := made.Plan.Revision
	if made.Plan.Dirty {
		tag += "-dirty"
	}
	uploads := to.PreviewUploads(made.Indexes, tag)
	if err := release.Push(ctx, c.Session, uploads); err != nil {
		return nil, err
	}
	err = c.Stage("write "+c.Config.Dist, func() (string, error) {
		if result, err = c.stage(ctx, draft, dest, made, "", nil); err != nil {
			return "", err
		}
		if _, err := release.Tag(ctx, uploads); err != nil {
			return "", err
		}
		for i, img := range made.Plan.Images {
			result.Images[i].Tags, result.Images[i].Reference = []string{tag}, img.Repository+":"+tag
		}
		return "", c.commit(ctx, dest, made, result)
	})
	return c.finished(dest, result, err)
}
