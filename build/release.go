package build

import (
	"context"
	"errors"
	"slices"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/describe"
	"github.com/thimble-build/thimble/build/internal/release"
)

// Release makes the images for every platform of a release, pushes them by digest, describes
// and signs each, reads everything back and verifies it as a user would. Only then does it set
// the tags. Archives are written to the output folder. If there is an error, no tag has moved,
// and the error lists what is already public. The next run uploads and signs only what is
// missing.
//
// Without a repository, the release is written only to the output folder, signed with
// Config.Release.Key or a key that is made for it.
func Release(ctx context.Context, o ReleaseOptions) (result *Result, err error) {
	if err := attest.Linked(); err != nil {
		return nil, err
	}
	m := making{images: true, skipTests: o.SkipTests, allowFailingTests: o.AllowFailingTests,
		summary: o.Summary, decided: true}
	c, err := begin(ctx, o.forAllPlatforms(), m, true)
	if err != nil {
		return nil, err
	}
	draft, err := c.resolve(ctx, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = c.Unfetched(draft.Go, err) }()
	run := release.Run{Started: c.began, Overrides: describe.Overrides{
		DirtyTree: o.AllowDirty, UntaggedCommit: o.AllowUntagged, FailingTests: o.AllowFailingTests,
	}}
	if err := run.MayRelease(draft, draft.Plan); err != nil {
		return nil, err
	}
	to, signer, err := release.Preflight(ctx, c.Session, draft.Plan)
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
	p := made.Plan
	if err := run.MayRelease(draft, p); err != nil { // the compiler may have found another file
		return nil, err
	}
	uploads, err := to.Uploads(ctx, made.Indexes)
	if err != nil {
		return nil, err
	}
	described, err := release.Describe(ctx, made.Images)
	if err != nil {
		return nil, err
	}
	images, err := release.Statements(c.Session, p, run.WithTests(made.Tests), made.Indexes, described)
	if err != nil {
		return nil, err
	}
	var layouts []release.Layout
	if len(uploads) == 0 {
		if layouts, err = release.SignLayouts(ctx, c.Session, p, signer, images); err != nil {
			return nil, err
		}
	}
	content, err := release.ArchiveContent(ctx, c.Session, draft, made)
	if err != nil {
		return nil, err
	}
	commands, err := release.WriteKit(c.Session, p, signer, dest.dist, uploads)
	if err != nil {
		return nil, err
	}
	content.Verify = commands
	archives, err := release.Archives(ctx, c.Session, p, signer, dest.dist, dest.Memo, content)
	if err != nil {
		return nil, err
	}

	moved := false
	defer func() { err = uploads.Public(err, moved) }() // from here on, registries contain something
	if err := release.Push(ctx, c.Session, uploads); err != nil {
		return nil, err
	}
	signed, err := release.Sign(ctx, c.Session, p, signer, uploads, images)
	if err != nil {
		return nil, err
	}
	receipt, err := release.Verify(ctx, c.Session, p, signer, signed)
	if err != nil {
		return nil, err
	}
	err = c.Stage("write "+c.Config.Dist, func() (string, error) {
		if result, err = c.stage(ctx, draft, dest, made, "", layouts); err != nil {
			return "", err
		}
		if len(layouts) > 0 {
			if receipt, err = release.VerifyLayouts(ctx, c.Session, p, signer, dest.dist,
				layouts); err != nil {
				return "", err
			}
		}
		if moved, err = release.Tag(ctx, uploads); err != nil {
			return "", err
		}
		result.Archives, result.VerifyCommands = archives, commands
		result.Signatures, result.Attestations = receipt.Signatures, receipt.Attestations
		if len(uploads) > 0 {
			result.tagged(release.MovingTags(c.Config.Release, p))
		}
		return "", c.commit(ctx, dest, made, result)
	})
	return c.finished(dest, result, err)
}

// tagged adds the tags that the images have in registries.
func (r *Result) tagged(moving []string) {
	for i := range r.Images {
		r.Images[i].Tags = append(slices.Clone(r.Images[i].Tags), moving...)
	}
}
