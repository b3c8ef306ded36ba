// Package pipeline makes the images of a draft: it compares the source with the commit while it
// compiles and tests it, finishes the plan, and assembles the images. It is the only package that
// runs stages at the same time. It knows no release: nothing that it makes leaves the machine.
package pipeline

import (
	"context"
	"errors"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/assemble"
	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/generated"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// Request says what to make.
type Request struct {
	Session   *session.Session
	Draft     *resolve.Draft
	Workspace Workspace
	// Standing lists the files that existed before Config.Before ran.
	Standing generated.Standing
	// Outputs keeps the binaries open. The caller closes it after the Built.
	Outputs *compile.Outputs

	// Images requests images, not only binaries.
	Images bool
	// SkipTests does not run the tests. AllowFailingTests continues if they fail.
	SkipTests, AllowFailingTests bool
	// Decided refuses images that leave out files which use cgo, unless Config says so.
	Decided bool
	// VerifyWithin limits how long the signatures of a base are read; zero means ten minutes.
	VerifyWithin time.Duration
	// Extras are what debug images have in addition; nil for others. With Extras, the lock file
	// is always used.
	Extras map[Unit]assemble.Extra
}

// Unit names an image of a plan for one platform.
type Unit struct {
	Image    string
	Platform plan.Platform
}

// Built is what was made.
type Built struct {
	Plan *plan.Plan
	// Images are those of the plan for every platform, in the plan's order. ArchiveOnly are the
	// programs that go only into archives.
	Images, ArchiveOnly []*assemble.Image
	// Indexes are in the plan's order; empty if no images were requested.
	Indexes []artifact.Index
	// Archived are the licence and README files of the repository for archives.
	Archived []archive.Entry
	// Tests are the results of the tests; nil if none ran.
	Tests *report.Tests
	// Files are what the images were made of.
	Files materials.Files

	bases *base.Set
}

// Of returns the images with this name, in the plan's order of platforms.
func (b *Built) Of(name string) (images []*assemble.Image) {
	for _, i := range b.Images {
		if i.Image.Name == name {
			images = append(images, i)
		}
	}
	return images
}

// All returns Images and ArchiveOnly.
func (b *Built) All() []*assemble.Image { return slices.Concat(b.Images, b.ArchiveOnly) }

// Check returns an error if a binary or a layer has changed since it was hashed.
func (b *Built) Check(ctx context.Context) error {
	for _, i := range b.All() {
		if err := i.Check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close removes the temporary files of the bases. No image may be used after it.
func (b *Built) Close() error { return b.bases.Close() }

// builder is a request with what the stages share.
type builder struct {
	Request
	texts texts
}

// Build makes what was requested. The caller must close the Built.
func Build(ctx context.Context, req Request) (built *Built, err error) {
	b := &builder{Request: req}
	s, p := req.Session, req.Draft.Plan
	sources := BaseSources(s, req.Workspace)
	if req.Images {
		wanted := BaseSignatures(s, req.Draft, req.VerifyWithin)
		if err := base.CheckSignatures(ctx, sources, p.Lock, wanted); err != nil {
			return nil, err
		}
	}
	bases := base.NewSet(sources, p.Lock)
	defer func() {
		if err != nil {
			err = errors.Join(err, bases.Close())
		}
	}()
	targets := artifact.Targets(p)
	programs := artifact.Programs(targets)
	first, commands, err := b.prepare(ctx, programs)
	if err != nil {
		return nil, err
	}
	built = &Built{bases: bases}
	g, gctx := errgroup.WithContext(ctx)
	first.earlier = first.compiler.Earlier(gctx, programs, first.before.Newest(), g)
	if req.Images {
		for _, t := range targets {
			if !t.ArchiveOnly {
				g.Go(func() error {
					_, err := bases.Base(gctx, baseUse(t))
					return err
				})
			}
		}
	}
	tested := make(chan struct{})
	g.Go(func() (err error) {
		defer close(tested)
		built.Tests, err = b.test(gctx, first.compiler.Go)
		return err
	})
	g.Go(func() error {
		c, err := b.compile(gctx, targets, first, commands, tested)
		if err != nil {
			return err
		}
		built.Plan, built.Archived, built.Files = c.plan, c.found.archived, c.found.files
		b.notice(c)
		made, err := b.assemble(gctx, c, bases)
		if err != nil {
			return err
		}
		for _, i := range made {
			if i.ArchiveOnly {
				built.ArchiveOnly = append(built.ArchiveOnly, i)
			} else {
				built.Images = append(built.Images, i)
			}
		}
		return b.copiedUnchanged(gctx, c.found)
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if req.Images {
		if built.Indexes, err = indexes(built); err != nil {
			return nil, err
		}
	}
	return built, built.Check(ctx)
}

// baseUse returns the base that an image uses.
func baseUse(t artifact.Target) lock.Use {
	return lock.Use{Base: t.Image.Base, Packages: t.Image.Packages, Platform: t.Platform}
}

// indexes joins each image's platforms in an index.
func indexes(b *Built) ([]artifact.Index, error) {
	var all []artifact.Index
	for _, img := range b.Plan.Images {
		var platforms []v1.Image
		mine := b.Of(img.Name)
		for _, i := range mine {
			platforms = append(platforms, i.V1)
		}
		index, err := image.Index(b.Plan.Of(img), img, mine[0].Base.Image, platforms)
		if err != nil {
			return nil, err
		}
		descriptor, err := partial.Descriptor(index)
		if err != nil {
			return nil, err
		}
		all = append(all, artifact.Index{Image: img, Descriptor: *descriptor, V1: index})
	}
	return all, nil
}
