package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// Binaries tests and compiles, and leaves the static binaries and a manifest in
// the output folder.
func Binaries(ctx context.Context, o Options) (*Result, error) { return produce(ctx, o, job{}) }

// Image tests, compiles and assembles the images, describes them in SBOMs, and
// leaves everything in the output folder, which changes only when all of it has
// succeeded.
func Image(ctx context.Context, o Options) (*Result, error) {
	return produce(ctx, o, job{images: true})
}

// job is what a run is for. The functions are called in this order and may be nil.
type job struct {
	// images asks for more than binaries.
	images bool
	// archives asks for the platforms that have nothing but an archive as well.
	archives bool
	// debug makes debug images.
	debug *debugging
	// prepare is called with the plan, before anything is compiled.
	prepare func(ctx context.Context, r *run) error
	// deliver is called when the images are made, and before anything is staged for
	// the output folder.
	deliver func(ctx context.Context, dist *publish.Dist, units []*unit) error
	// finish is called when all is staged, and before the output folder changes.
	finish func(ctx context.Context) error
}

func produce(ctx context.Context, o Options, j job) (result *Result, err error) {
	r, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = r.unfetched(err) }()
	r.debug = j.debug
	r.archives = j.archives && !r.Config.Release.OmitArchives
	var engine publish.Engine
	if r.Load {
		if engine, err = r.findEngine(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.resolve(ctx); err != nil {
		return nil, err
	}
	if j.prepare != nil {
		if err := j.prepare(ctx, r); err != nil {
			return nil, err
		}
	}
	if err := r.openCache(); err != nil {
		return nil, err
	}
	if j.images {
		if err := r.checkBaseSignatures(ctx); err != nil {
			return nil, err
		}
	}
	dist, err := publish.Open(ctx, r.dist, r.waiting)
	if err != nil {
		return nil, err
	}
	defer func() {
		r.closeFiles()
		r.closeBases()
		err = errors.Join(err, dist.Close()) // nothing is left to close after a Commit
	}()

	units := r.units()
	r.bare = r.bareUnits()
	if err := r.make(ctx, slices.Concat(units, r.bare), j.images); err != nil {
		return nil, err
	}
	if j.images {
		if err := r.buildIndexes(units); err != nil {
			return nil, err
		}
	}
	if j.deliver != nil {
		if err := j.deliver(ctx, dist, units); err != nil {
			return nil, err
		}
	}
	if err := r.publish(ctx, dist, engine, units, j); err != nil {
		return nil, err
	}
	if err := cmp.Or(r.cache.Trim(r.debianMirror().Cache), r.trimWork()); err != nil {
		r.Progress.Notice(fmt.Sprintf("the cache was not trimmed: %v", err))
	}
	return r.result(), nil
}

// closeFiles closes the binaries, which were only read.
func (r *run) closeFiles() {
	r.background.Wait()
	for _, f := range r.open {
		f.Close()
	}
}

// openCache opens the cache of layers and documents.
func (r *run) openCache() error {
	var err error
	if r.cache, err = cache.Open(filepath.Join(r.Cache, "content"), cache.Limits{}); err != nil {
		return err
	}
	r.salt, err = kitSalt(r.resolved.Plan.Kit)
	return err
}

// publish puts everything in place: the engine and the archive first, because
// they can fail, then the output folder, whose manifest comes last.
func (r *run) publish(ctx context.Context, dist *publish.Dist, engine publish.Engine, units []*unit, j job) error {
	if r.Summary != nil && j.images {
		r.findPrevious(ctx)
	}
	return r.stage("publish", func() (string, error) {
		p := r.resolved.Plan
		r.done.Plan = p
		for _, img := range p.Images {
			made := ImageResult{Name: img.Name, Package: img.Package, Reference: img.Reference(), Tags: img.Tags}
			mine := of(units, img)
			for _, u := range mine {
				if err := dist.Link(ctx, u.binaryPath(), u.path); err != nil {
					return "", err
				}
				if u.symbols != "" {
					if err := dist.Link(ctx, u.symbolsPath(), u.symbols); err != nil {
						return "", err
					}
				}
			}
			if j.images {
				if err := r.publishImage(ctx, dist, engine, img, mine, &made); err != nil {
					return "", err
				}
			}
			for _, u := range mine {
				made.Platforms = append(made.Platforms, u.result())
			}
			r.done.Images = append(r.done.Images, made)
		}
		if j.finish != nil {
			if err := j.finish(ctx); err != nil {
				return "", err
			}
		}
		if r.Summary != nil && j.images {
			text, err := r.Summary(r.result())
			if err != nil {
				return "", err
			}
			if err := dist.Write("summary.md", text); err != nil {
				return "", err
			}
		}
		manifest, err := r.done.Manifest.JSON()
		if err != nil {
			return "", err
		}
		return "", dist.Commit(ctx, manifest)
	})
}

// publishImage stages the layout and the SBOMs of one image, and hands it to the
// engine and into the archive that were asked for.
func (r *run) publishImage(ctx context.Context, dist *publish.Dist, engine publish.Engine, img plan.Image, units []*unit, made *ImageResult) error {
	p := r.resolved.Plan
	index := r.indexes[img.Name]
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	made.Digest, made.Layout = digest.String(), path.Join("oci", img.Name+r.debug.suffix())
	for _, u := range units {
		if err := dist.Write(u.sbom.SPDX, u.spdx); err != nil {
			return err
		}
		if err := dist.Write(u.sbom.CycloneDX, u.cyclonedx); err != nil {
			return err
		}
	}
	if r.Load {
		u, err := r.native(units)
		if err != nil {
			return err
		}
		loaded, err := engine.Load(ctx, []string{img.Reference()}, u.built)
		if err != nil {
			return err
		}
		r.done.Loaded = append(r.done.Loaded, loaded)
	}
	if r.Archive != "" {
		if len(p.Images) > 1 || len(units) > 1 {
			return fmt.Errorf("write docker archive %s: it holds one image for one platform; choose one with -platform and Config.Images", r.Archive)
		}
		err := atomicfile.WriteFunc(r.abs(r.Archive), 0o644, func(w io.Writer) error {
			return publish.Archive(ctx, w, []string{img.Reference()}, units[0].built)
		})
		if err != nil {
			return err
		}
		r.done.Archive = r.Archive
	}
	content := publish.Content{Reference: img.Reference(), Index: index, Beside: r.beside[img.Name]}
	if len(content.Beside) > 0 {
		content.Annotations = map[string]string{cosignKind: cosignIndex}
	}
	return dist.Layout(ctx, made.Layout, content)
}

// of are the units of one image.
func of(units []*unit, img plan.Image) (mine []*unit) {
	for _, u := range units {
		if u.image.Name == img.Name {
			mine = append(mine, u)
		}
	}
	return mine
}

// buildIndexes puts each image's platforms together.
func (r *run) buildIndexes(units []*unit) error {
	r.indexes = map[string]v1.ImageIndex{}
	for _, img := range r.resolved.Plan.Images {
		var built []v1.Image
		mine := of(units, img)
		for _, u := range mine {
			built = append(built, u.built)
		}
		index, err := image.Index(r.resolved.Plan.Of(img), img, mine[0].inherited(), built)
		if err != nil {
			return err
		}
		r.indexes[img.Name] = index
	}
	return nil
}

// native is the unit that this machine's engine can run: the only one, or that
// of this machine's architecture.
func (r *run) native(units []*unit) (*unit, error) {
	if len(units) == 1 {
		return units[0], nil
	}
	_, arch := r.resolved.Go.Host()
	for _, u := range units {
		if u.platform.Architecture == arch {
			return u, nil
		}
	}
	return nil, fmt.Errorf("load %s: none of the platforms is this machine's; choose one with -platform", units[0].image.Name)
}

// binaryPath is where the binary is below the output folder.
func (u *unit) binaryPath() string {
	return path.Join("bin", u.image.Name, u.platform.Key(), u.image.Name)
}

// result is the unit as the manifest shows it.
func (u *unit) result() PlatformResult {
	made := PlatformResult{
		Platform: u.platform, Base: u.image.Base, Digest: u.digest, Size: u.imageSize, Layers: u.sizes, SBOM: u.sbom,
		Binary: Binary{Path: u.binaryPath(), SHA256: u.sha256, Size: u.size, Static: !u.dynamic(), Libraries: u.libraries},
		Needs:  []Need{},
	}
	if u.symbols != "" {
		made.Binary.BuildID, made.Binary.Symbols = u.buildID, u.symbolsPath()
	}
	if u.base != nil {
		made.BaseDigest = u.base.Digest
	}
	for _, n := range u.needs {
		need := Need{Need: n, Files: []string{}, InBase: slices.Contains(u.inBase, n.Name)}
		if !n.Embedded && n.Name != plan.NeedExec && !need.InBase {
			need.Files = tree.NeedPaths(n.Name)
		}
		made.Needs = append(made.Needs, need)
	}
	return made
}
