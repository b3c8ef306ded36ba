package build

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/partial"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/describe"
	"github.com/thimble-build/thimble/build/internal/gotest"
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
func Release(ctx context.Context, o Options) (result *Result, err error) {
	r, err := begin(ctx, o.forAllPlatforms(), making{images: true, archives: true, hashAll: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	if err := r.mayRelease(); err != nil {
		return nil, err
	}
	to, signer, err := release.Preflight(ctx, r.Session, r.resolved.Plan)
	if err != nil {
		return nil, err
	}
	defer to.Close()

	made, err := r.build(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.mayRelease(); err != nil { // the compiler may have found another file
		return nil, err
	}
	p := r.resolved.Plan // final
	uploads, err := to.Uploads(ctx, made.indexes)
	if err != nil {
		return nil, err
	}
	described, err := r.describeAll(ctx, made.units)
	if err != nil {
		return nil, err
	}
	images, err := release.Statements(r.Session, p, r.releaseRun(), made.indexes, described)
	if err != nil {
		return nil, err
	}
	var layouts []release.Layout
	if len(uploads) == 0 {
		if layouts, err = release.SignLayouts(ctx, r.Session, p, signer, images); err != nil {
			return nil, err
		}
	}
	content, err := r.archiveInput(ctx, made)
	if err != nil {
		return nil, err
	}
	archives, err := release.Archives(ctx, r.Session, p, signer, r.dist, r.memo, content)
	if err != nil {
		return nil, err
	}
	commands, err := release.WriteKit(r.Session, p, signer, r.dist, uploads)
	if err != nil {
		return nil, err
	}

	moved := false
	defer func() { err = uploads.Public(err, moved) }() // from here on, registries contain something
	if err := release.Push(ctx, r.Session, uploads); err != nil {
		return nil, err
	}
	signed, err := release.Sign(ctx, r.Session, p, signer, uploads, images)
	if err != nil {
		return nil, err
	}
	receipt, err := release.Verify(ctx, r.Session, p, signer, signed)
	if err != nil {
		return nil, err
	}
	err = r.Stage("publish", func() (string, error) {
		if result, err = r.stageOutput(ctx, made, layouts); err != nil {
			return "", err
		}
		if len(layouts) > 0 {
			if receipt, err = release.VerifyLayouts(ctx, r.Session, p, signer, r.dist, layouts); err != nil {
				return "", err
			}
		}
		if moved, err = release.Tag(ctx, uploads); err != nil {
			return "", err
		}
		result.released(archives, commands, receipt)
		if len(uploads) > 0 {
			result.tagged(release.MovingTags(r.Config.Release, p))
		}
		return "", r.commit(ctx, made, result)
	})
	return r.finished(result, err)
}

// mayRelease refuses a release that cannot be distinguished from another one.
func (r *run) mayRelease() error {
	p := r.resolved.Plan
	if p.Dirty && !r.asked.AllowDirty {
		return fmt.Errorf("release %s: the tree differs from the commit: %s; commit it, or release with -allowDirty", p.Version, dirt(p))
	}
	if !r.resolved.Tagged && !r.asked.AllowUntagged {
		return fmt.Errorf("release %s: the commit has no version tag; tag it (git tag %sv1.2.3), or release with -allowUntagged", p.Version, r.resolved.TagPrefix())
	}
	return nil
}

// releaseRun returns what provenance records about this run.
func (r *run) releaseRun() release.Run {
	out := release.Run{
		Started: r.began, TestsSkipped: r.tests == nil,
		Overrides: describe.Overrides{
			DirtyTree: r.asked.AllowDirty, UntaggedCommit: r.asked.AllowUntagged,
			FailingTests: r.asked.AllowFailingTests, SkippedTests: r.tests == nil,
		},
	}
	if r.tests != nil {
		out.PassedTests, out.FailedTests = r.tests.Passed, r.tests.Failed
	}
	return out
}

// describeAll returns the descriptions of the images in a release.
func (r *run) describeAll(ctx context.Context, units []*unit) ([]artifact.Described, error) {
	var all []artifact.Described
	for _, u := range units {
		descriptor, err := partial.Descriptor(u.built)
		if err != nil {
			return nil, err
		}
		contents, err := r.linked(ctx, u)
		if err != nil {
			return nil, err
		}
		all = append(all, artifact.Described{
			Image: u.image.Name, Descriptor: *descriptor, Binary: u.sha256, SPDX: u.spdx, CycloneDX: u.cyclonedx, Contents: contents,
		})
	}
	return all, nil
}

// archiveInput returns what the archives are made of, including platforms without images.
func (r *run) archiveInput(ctx context.Context, m *built) (in release.ArchiveInput, err error) {
	if r.Config.Release.OmitArchives {
		return in, nil
	}
	for _, u := range slices.Concat(m.units, m.archiveOnly) {
		in.Programs = append(in.Programs, release.Program{
			Image: u.image.Name, Platform: u.platform, SHA256: u.sha256, Size: u.size, Open: u.open, Licenses: u.texts,
			SPDX: u.spdx, CycloneDX: u.cyclonedx, Components: u.sbom.Components,
		})
	}
	in.Folders = r.resolved.LicenseFolders()
	previous, commits, err := r.resolved.History(ctx)
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

// failedTests reports whether err says that tests failed, which a release may allow, and not
// another problem with them.
func failedTests(err error) bool {
	failed := new(gotest.Error)
	return errors.As(err, &failed)
}
