package kube

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// image is an image of a release.
type image struct {
	Name string `json:"name"`
	// Package is the import path of the main package.
	Package string `json:"package"`
	// Repositories have the same image. The first one is Config's.
	Repositories []string `json:"repositories"`
	// Digest is empty while only the tag is known.
	Digest string `json:"digest"`
}

// maxKey is the largest public key that is read, in bytes.
const maxKey = 64 << 10

// source is where digests come from: the release in the output folder, a tag, or a lock.
type source struct {
	// shown is the release for a reader. version is its version.
	shown, version string
	module         string
	images         []image
	// tag of the images whose digest is not known.
	tag string
	// replayed says that it is a lock.
	replayed bool
	// keys are public keys, in PEM, that count if the user expects nobody.
	keys []string
}

// open reads the images of the release that the request names.
func open(ctx context.Context, s *session.Session, r Request) (source, error) {
	if r.From != "" {
		return fromTag(ctx, s, r.From)
	}
	if r.Lock != "" {
		from, err := readLock(s.Path(r.Lock))
		if !errors.Is(err, fs.ErrNotExist) {
			return from, err
		}
	}
	return fromDist(s)
}

// fromDist reads the release in the output folder.
func fromDist(s *session.Session) (source, error) {
	const wayOut = `release with "mage release", or name a release with -from=TAG`
	fail := func(err error) (source, error) {
		return source{},
			fmt.Errorf("find the release: %w; %s", err, wayOut)
	}
	dist, err := distfolder.Open(s.Dist, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return fail(errors.New(s.Config.Dist + " does not exist"))
	}
	if err != nil {
		return fail(err)
	}
	defer dist.Close() // only read
	m, err := dist.Manifest(distfolder.ManifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(errors.New(s.Config.Dist + " has no manifest.json"))
	}
	if err != nil {
		return fail(err)
	}
	if len(m.Signatures) == 0 {
		return fail(errors.New("the images in " + s.Config.Dist + " were built, but not released"))
	}
	from := source{shown: "the release " + m.Plan.Version, version: m.Plan.Version,
		module: m.Plan.Module.Path}
	from.images = imagesOf(m.Plan, s.Config.Release)
	for i := range from.images {
		for _, result := range m.Images {
			if result.Name == from.images[i].Name {
				from.images[i].Digest = result.Digest
			}
		}
		if len(from.images[i].Repositories) == 0 {
			return source{}, fmt.Errorf(
				"find the release: %s is in no registry, only in %s; set THIMBLE_REPOSITORY, such as "+
					"ghcr.io/acme, and release again",
				from.images[i].Name, s.Config.Dist)
		}
	}
	key, err := dist.Read("verify/cosign.pub", maxKey)
	if err == nil {
		from.keys = []string{string(key)}
	}
	if errors.Is(err, fs.ErrNotExist) { // an identity has signed
		err = nil
	}
	return from, err
}

// fromTag returns the images that Config has now. Their digests are those of a tag.
func fromTag(ctx context.Context, s *session.Session, tag string) (source, error) {
	draft, err := resolve.Start(ctx, pipeline.ResolveInput(s))
	if err != nil {
		return source{}, s.Unfetched(nil, err)
	}
	from := source{shown: "the release " + tag, version: tag, module: draft.Plan.Module.Path,
		tag: resolve.Tag(tag)}
	from.images = imagesOf(draft.Plan, s.Config.Release)
	if len(from.images) > 0 && len(from.images[0].Repositories) == 0 {
		return from, fmt.Errorf(
			"find the release %s: there is no repository; set THIMBLE_REPOSITORY, such as ghcr.io/acme", tag)
	}
	return from, nil
}

// imagesOf returns the images of a plan with all their repositories.
func imagesOf(p *plan.Plan, cfg plan.ReleaseConfig) []image {
	var all []image
	for _, img := range p.Images {
		i := image{Name: img.Name, Package: img.Package}
		if img.Repository != "" {
			i.Repositories = append(i.Repositories, img.Repository)
		}
		for _, prefix := range cfg.Repositories {
			i.Repositories = append(i.Repositories, path.Join(prefix, img.Name))
		}
		all = append(all, i)
	}
	return all
}
