package build

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/baseimage"
	"github.com/thimble-build/thimble/build/internal/gotest"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/plan"
)

// Release makes the images for every platform of the release's set, pushes them by
// digest, describes and signs each, reads everything back and verifies it as a
// stranger would, and only then tags them. Archives lie beside them in the output
// folder. An error leaves no tag moved, and says what is public already; the next run
// uploads and signs what is missing, and nothing twice.
//
// Without a repository the same is written into the output folder alone, signed with
// Config.Release.Key or a key that is made for it.
func Release(ctx context.Context, o Options) (*Result, error) {
	if len(o.Platforms) == 0 {
		o.Platforms = []string{"all"}
	}
	rel := &release{}
	defer rel.close()
	result, err := produce(ctx, o, job{images: true, archives: true, prepare: rel.prepare, deliver: rel.deliver, finish: rel.finish})
	if err != nil {
		return nil, rel.public(err)
	}
	return result, nil
}

// release is the part of a run that comes after the images.
type release struct {
	*run
	signer *attest.Signer
	trust  attest.Trust
	// development says that the key was made for this release.
	development bool
	// destinations are where the images go; none is the output folder.
	destinations []destination
	verified     []attest.Report
	// pushed is the tag of a preview, instead of the plan's tags.
	pushed string
	// uploading and tagging say how far it is, for the error of what stops it then.
	uploading, tagging bool
}

// destination is one image in one repository.
type destination struct {
	image plan.Image
	repo  *registry.Repository
	name  string
	tags  []registry.Tag
	// read is what was read of a digest when nothing was missing: it is not read twice.
	read map[v1.Hash]attest.Stored
	// found is where tags pointed before anything was made.
	found map[string]v1.Hash
}

func (rel *release) close() {
	for _, d := range rel.destinations {
		d.repo.Close()
	}
}

// prepare is everything that can be known before anything is compiled: may this tree
// be released, who signs, may we push, are the tags free.
func (rel *release) prepare(ctx context.Context, r *run) error {
	rel.run = r
	if err := rel.mayRelease(); err != nil {
		return err
	}
	return rel.stage("preflight", func() (string, error) {
		for _, f := range rel.signOptions(time.Time{}).Forms {
			if f != attest.Bundles && f != attest.Tags {
				return "", fmt.Errorf("form %q of Config.Release.Forms is not known; it is %q or %q", f, attest.Bundles, attest.Tags)
			}
		}
		if err := rel.openRepositories(ctx); err != nil {
			return "", err
		}
		if err := rel.openSigner(ctx); err != nil {
			return "", err
		}
		if rel.development {
			rel.Progress.Notice("no repository and no key: the release stays in " + rel.Config.Dist + ", signed with a key that was made for it")
		} else if len(rel.destinations) == 0 {
			rel.Progress.Notice("no repository: the release stays in " + rel.Config.Dist)
		}
		return "", nil
	})
}

// mayRelease stops a release that nobody could tell apart from another one.
func (rel *release) mayRelease() error {
	p := rel.resolved.Plan
	if p.Dirty && !rel.AllowDirty {
		return fmt.Errorf("release %s: the tree differs from the commit: %s; commit it, or release with -allowDirty", p.Version, p.DirtyFile)
	}
	if !rel.resolved.Tagged && !rel.AllowUntagged {
		return fmt.Errorf("release %s: the commit has no version tag; tag it (git tag %sv1.2.3), or release with -allowUntagged", p.Version, rel.resolved.TagPrefix())
	}
	return nil
}

// openRepositories logs in to every repository and asks for its leave.
func (rel *release) openRepositories(ctx context.Context) error {
	for _, img := range rel.resolved.Plan.Images {
		var names []string
		if img.Repository != "" {
			names = append(names, img.Repository)
		}
		for _, prefix := range rel.Config.Release.Repositories {
			names = append(names, path.Join(prefix, img.Name))
		}
		for _, name := range names {
			d := destination{image: img, name: name, read: map[v1.Hash]attest.Stored{}}
			for _, t := range img.Tags {
				d.tags = append(d.tags, registry.Tag{Name: t})
			}
			for _, t := range rel.Config.Release.MovingTags {
				d.tags = append(d.tags, registry.Tag{Name: t, Moving: true})
			}
			mounts, err := mountCandidates(img, rel.destinations)
			if err != nil {
				return err
			}
			if d.repo, err = rel.openRepository(ctx, name, mounts, false); err != nil {
				return err
			}
			found, err := d.repo.Preflight(ctx, d.tags, v1.Hash{})
			d.found = found.Tags
			rel.destinations = append(rel.destinations, d) // also to close it
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// mountCandidates are the repositories that may have an image's blobs already: that of
// its base, and those that the same release goes to.
func mountCandidates(img plan.Image, before []destination) ([]string, error) {
	var names []string
	if img.Base != plan.BaseScratch && !lock.IsDebian(img.Base) {
		base, err := baseimage.Parse(img.Base)
		if err != nil {
			return nil, err
		}
		if base.Kind == baseimage.Registry {
			names = append(names, base.Repository)
		}
	}
	for _, d := range before {
		names = append(names, d.name)
	}
	return names, nil
}

// deliver pushes, signs and verifies; every image, before any tag moves.
func (rel *release) deliver(ctx context.Context, dist *publish.Dist, units []*unit) error {
	if err := rel.mayRelease(); err != nil { // the compiler may have found another file
		return err
	}
	if err := rel.tagsAreFree(); err != nil {
		return err
	}
	statements, err := rel.statements(units)
	if err != nil {
		return err
	}
	if len(rel.destinations) == 0 {
		if err := rel.signLocally(ctx, units, statements); err != nil {
			return err
		}
	}
	err = rel.stage("archive", func() (string, error) { return "", rel.archives(ctx, dist, units) })
	if err != nil {
		return err
	}
	if err := rel.instructions(dist); err != nil {
		return err
	}
	rel.uploading = true
	for _, d := range rel.destinations {
		index := rel.indexes[d.image.Name]
		err := rel.stage("push "+d.name, func() (string, error) { return "", d.repo.Push(ctx, index) })
		if err != nil {
			return err
		}
	}
	for _, d := range rel.destinations {
		if err := rel.attestIn(ctx, d, units, statements); err != nil {
			return err
		}
	}
	for _, d := range rel.destinations {
		if err := rel.verifyIn(ctx, d, units); err != nil {
			return err
		}
	}
	return nil
}

// tagsAreFree refuses a tag that may not move and was found to point elsewhere, before
// anything is pushed. Tagging looks again.
func (rel *release) tagsAreFree() error {
	for _, d := range rel.destinations {
		digest, err := rel.indexes[d.image.Name].Digest()
		if err != nil {
			return err
		}
		for _, tag := range d.tags {
			if is, ok := d.found[tag.Name]; ok && !tag.Moving && is != digest {
				return fmt.Errorf("tag %s:%s: it points to %s already, and this is %s; release another version, or list the tag as a moving one", d.name, tag.Name, is, digest)
			}
		}
	}
	return nil
}

// lookUpTags looks again where the tags point that may not move, and refuses as
// tagsAreFree does.
func (rel *release) lookUpTags(ctx context.Context) error {
	for _, d := range rel.destinations {
		for _, tag := range d.tags {
			if tag.Moving {
				continue
			}
			is, err := d.repo.Resolve(ctx, tag.Name)
			if err != nil {
				return err
			}
			if delete(d.found, tag.Name); is.Hex != "" {
				d.found[tag.Name] = is
			}
		}
	}
	return rel.tagsAreFree()
}

// public adds what a registry may have by now.
func (rel *release) public(err error) error {
	if !rel.uploading || len(rel.destinations) == 0 {
		return err
	}
	var names []string
	for _, d := range rel.destinations {
		if digest, e := rel.indexes[d.image.Name].Digest(); e == nil {
			names = append(names, d.name+"@"+digest.String())
		}
	}
	if rel.tagging {
		return fmt.Errorf("%w; %s is there and verified; run it again to go on", err, list(names))
	}
	return fmt.Errorf("%w; no tag was moved, %s may be there by digest; run it again to go on", err, list(names))
}

// finish moves the tags: everything else is in place and verified.
func (rel *release) finish(ctx context.Context) error {
	// A repository's tags are looked up before the first of them moves. Of several
	// repositories, a tag that was taken meanwhile in the last one stops the first.
	if len(rel.destinations) > 1 {
		if err := rel.lookUpTags(ctx); err != nil {
			return err
		}
	}
	for i, d := range rel.destinations {
		digest, err := rel.indexes[d.image.Name].Digest()
		if err != nil {
			return err
		}
		if err := d.repo.Tag(ctx, digest, d.tags); err != nil {
			moved := new(registry.MovedError)
			rel.tagging = rel.tagging || errors.As(err, &moved)
			if i > 0 {
				var done []string
				for _, before := range rel.destinations[:i] {
					done = append(done, before.name)
				}
				return fmt.Errorf("%w; the tags of %s are in place", err, list(done))
			}
			return err
		}
		rel.tagging = true
	}
	for i := range rel.done.Images {
		if rel.pushed != "" {
			rel.done.Images[i].Tags = []string{rel.pushed}
			rel.done.Images[i].Reference = rel.resolved.Plan.Images[i].Repository + ":" + rel.pushed
			continue
		}
		rel.done.Images[i].Tags = append(slices.Clone(rel.done.Images[i].Tags), rel.movingTags()...)
	}
	return nil
}

func (rel *release) movingTags() []string {
	if len(rel.destinations) == 0 {
		return nil
	}
	return rel.Config.Release.MovingTags
}

// failedTests tells the failure of a release's tests, which may be allowed, from
// everything else that can go wrong with them.
func failedTests(err error) bool {
	failed := new(gotest.Error)
	return errors.As(err, &failed)
}
