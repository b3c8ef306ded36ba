package build

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/assemble"
	"github.com/thimble-build/thimble/build/internal/gotest"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/predicate"
	"github.com/thimble-build/thimble/build/internal/release"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/plan"
)

// Release makes the images for every platform of a release, pushes them by digest, describes
// and signs each, reads everything back and verifies it as a user would. Only then does it set
// the tags. Archives are written to the output folder. If there is an error, no tag has moved,
// and the error lists what is already public. The next run uploads and signs only what is
// missing.
//
// Without a repository, the release is written only to the output folder, signed with
// Config.Release.Key or a key that is made for it.
func Release(ctx context.Context, o Options) (result *Result, err error) {
	c, err := begin(ctx, o.forAllPlatforms(), true)
	if err != nil {
		return nil, err
	}
	engine, err := c.engine(ctx)
	if err != nil {
		return nil, err
	}
	draft, err := c.resolve(ctx, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = c.Unfetched(draft.Go, err) }()
	if err := mayRelease(o, draft, draft.Plan); err != nil {
		return nil, err
	}
	to, signer, err := release.Preflight(ctx, c.Session, draft.Plan)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	out, err := c.open(ctx, draft, "", true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.close()) }()
	made, err := c.build(ctx, draft, out, true, nil)
	if err != nil {
		return nil, err
	}
	defer c.done(made)
	p := made.Plan
	if err := mayRelease(o, draft, p); err != nil { // the compiler may have found another file
		return nil, err
	}
	uploads, err := to.Uploads(ctx, made.Indexes)
	if err != nil {
		return nil, err
	}
	described, err := describeAll(ctx, made.Images)
	if err != nil {
		return nil, err
	}
	images, err := release.Statements(c.Session, p, c.releaseRun(made.Tests), made.Indexes, described)
	if err != nil {
		return nil, err
	}
	var layouts []release.Layout
	if len(uploads) == 0 {
		if layouts, err = release.SignLayouts(ctx, c.Session, p, signer, images); err != nil {
			return nil, err
		}
	}
	content, err := c.archiveInput(ctx, draft, made)
	if err != nil {
		return nil, err
	}
	archives, err := release.Archives(ctx, c.Session, p, signer, out.dist, out.Memo, content)
	if err != nil {
		return nil, err
	}
	commands, err := release.WriteKit(c.Session, p, signer, out.dist, uploads)
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
	err = c.Stage("publish", func() (string, error) {
		if result, err = c.stage(ctx, out, made, staging{draft: draft, engine: engine, layouts: layouts}); err != nil {
			return "", err
		}
		if len(layouts) > 0 {
			if receipt, err = release.VerifyLayouts(ctx, c.Session, p, signer, out.dist, layouts); err != nil {
				return "", err
			}
		}
		if moved, err = release.Tag(ctx, uploads); err != nil {
			return "", err
		}
		result.released(archives, commands, receipt)
		if len(uploads) > 0 {
			result.tagged(release.MovingTags(c.Config.Release, p))
		}
		return "", c.commit(ctx, out, made, result)
	})
	return c.finished(out, result, err)
}

// mayRelease refuses a release that cannot be distinguished from another one. p is the plan of the
// draft, so far or final.
func mayRelease(o Options, draft *resolve.Resolved, p *plan.Plan) error {
	if p.Dirty && !o.AllowDirty {
		return fmt.Errorf("release %s: the tree differs from the commit: %s; commit it, or release with -allowDirty", p.Version, pipeline.Dirt(p))
	}
	if !draft.Tagged && !o.AllowUntagged {
		return fmt.Errorf("release %s: the commit has no version tag; tag it (git tag %sv1.2.3), or release with -allowUntagged", p.Version, draft.TagPrefix())
	}
	return nil
}

// releaseRun returns what provenance records about this run.
func (c *call) releaseRun(tests *gotest.Result) release.Run {
	run := release.Run{
		Started: c.began, TestsSkipped: tests == nil,
		Overrides: predicate.Overrides{
			DirtyTree: c.options.AllowDirty, UntaggedCommit: c.options.AllowUntagged,
			FailingTests: c.options.AllowFailingTests, SkippedTests: tests == nil,
		},
	}
	if tests != nil {
		run.PassedTests, run.FailedTests = tests.Passed, tests.Failed
	}
	return run
}

// describeAll returns the descriptions of the images in a release.
func describeAll(ctx context.Context, images []*assemble.Image) ([]artifact.Described, error) {
	all := make([]artifact.Described, len(images))
	for i, img := range images {
		var err error
		if all[i], err = img.Described(ctx); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// archiveInput returns what the archives are made of, including platforms without images.
func (c *call) archiveInput(ctx context.Context, draft *resolve.Resolved, made *pipeline.Built) (in release.ArchiveInput, err error) {
	if c.Config.Release.OmitArchives {
		return in, nil
	}
	for _, i := range made.All() {
		in.Programs = append(in.Programs, release.Program{
			Image: i.Image.Name, Platform: i.Platform, SHA256: i.SHA256, Size: i.Binary.Size, Open: i.Binary.Open, Licenses: i.Texts,
			SPDX: i.SPDX, CycloneDX: i.CycloneDX, Components: i.Components,
		})
	}
	in.Own = made.Archived
	previous, commits, err := draft.History(ctx)
	in.Previous = previous
	for _, c := range commits {
		in.Commits = append(in.Commits, archive.Commit(c))
	}
	return in, err
}

// released adds the other things that a release made.
func (r *Result) released(archives []release.Archive, commands []string, receipt release.Receipt) {
	r.VerifyCommands = commands
	for _, a := range archives {
		r.Archives = append(r.Archives, ArchiveResult{
			Path: a.Path, SHA256: a.SHA256, Size: a.Size, Image: a.Image, Platform: a.Platform,
			SBOM: &SBOM{SPDX: a.SPDX, CycloneDX: a.CycloneDX, Components: a.Components},
		})
	}
	r.Signatures, r.Attestations = signatures(receipt.Signatures), signatures(receipt.Attestations)
}

func signatures(verified []release.Signature) []Signature {
	var all []Signature
	for _, s := range verified {
		all = append(all, Signature{Repository: s.Repository, Subject: s.Subject, Type: s.Type, Form: string(s.Form), Signer: s.Signer})
	}
	return all
}

// tagged adds the tags that the images have in registries.
func (r *Result) tagged(moving []string) {
	for i := range r.Images {
		r.Images[i].Tags = append(slices.Clone(r.Images[i].Tags), moving...)
	}
}
