package build

import (
	"context"
	"errors"

	"github.com/thimble-build/thimble/build/internal/release"
)

// Push makes the images for every platform of a release, pushes them by digest, and then points
// one tag at each, named after the revision. The images are previews and unsigned.
func Push(ctx context.Context, o Options) (result *Result, err error) {
	r, err := begin(ctx, o.forAllPlatforms(), making{images: true, hashAll: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	if r.resolved.Plan.Revision == "" {
		return nil, errors.New("push: there is no commit to name the image after; commit first, or use \"mage release\" with a version")
	}
	to, err := release.PreflightPreview(ctx, r.Session, r.resolved.Plan)
	if err != nil {
		return nil, err
	}
	defer to.Close()

	made, err := r.build(ctx)
	if err != nil {
		return nil, err
	}
	tag := r.resolved.Plan.Revision
	if r.resolved.Plan.Dirty {
		tag += "-dirty"
	}
	uploads := to.PreviewUploads(made.indexes, tag)
	if err := release.Push(ctx, r.Session, uploads); err != nil {
		return nil, err
	}
	err = r.Stage("publish", func() (string, error) {
		if result, err = r.stageOutput(ctx, made, nil); err != nil {
			return "", err
		}
		if _, err := release.Tag(ctx, uploads); err != nil {
			return "", err
		}
		for i, img := range r.resolved.Plan.Images {
			result.Images[i].Tags, result.Images[i].Reference = []string{tag}, img.Repository+":"+tag
		}
		return "", r.commit(ctx, made, result)
	})
	return r.finished(result, err)
}
