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
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/modsum"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/release"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// Binaries tests and compiles, and puts static binaries and a manifest into the output folder.
func Binaries(ctx context.Context, o Options) (*Result, error) { return produce(ctx, o, making{}) }

// Image tests, compiles and assembles the images, describes them in SBOMs, and puts everything
// into the output folder, which changes only when everything has succeeded.
func Image(ctx context.Context, o Options) (*Result, error) {
	return produce(ctx, o, making{images: true})
}

// produce makes what m requests, and puts it into the output folder.
func produce(ctx context.Context, o Options, m making) (result *Result, err error) {
	r, err := begin(ctx, o, m)
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	made, err := r.build(ctx)
	if err != nil {
		return nil, err
	}
	err = r.Stage("publish", func() (string, error) {
		if result, err = r.stageOutput(ctx, made, nil); err != nil {
			return "", err
		}
		return "", r.commit(ctx, made, result)
	})
	return r.finished(result, err)
}

// making says what a run makes.
type making struct {
	// images requests images, not only binaries.
	images bool
	// hashAll hashes every file that is used and ignores remembered hashes.
	hashAll bool
	// archives also requests the platforms that only have archives.
	archives bool
	// debug is what differs for a debug image; nil for any other.
	debug *debugging
}

// built is the result of build. Nothing of it is in the output folder yet.
type built struct {
	// units have an image each; archiveOnly have only an archive.
	units, archiveOnly []*unit
	// indexes are in the plan's order; empty if no images were requested.
	indexes []artifact.Index
}

// begin starts a run and makes the plan. The caller must call end.
func begin(ctx context.Context, o Options, m making) (*run, error) {
	r, err := start(ctx, o, m.hashAll)
	if err != nil {
		return nil, err
	}
	r.making = m
	r.archives = m.archives && !r.Config.Release.OmitArchives
	if r.asked.Load {
		if r.engine, err = publish.AnsweringEngine(ctx, r.Session); err != nil {
			return nil, r.unfetched(err)
		}
	}
	if err := r.resolve(ctx); err != nil {
		return nil, r.unfetched(err)
	}
	return r, nil
}

// build compiles, tests, assembles and describes what the run makes.
func (r *run) build(ctx context.Context) (*built, error) {
	if err := r.openCache(ctx); err != nil {
		return nil, err
	}
	if r.images {
		sources := baseSources(r.Session, r.cache, r.cacheVersion)
		if err := base.CheckSignatures(ctx, sources, r.resolved.Plan.Lock, r.baseSignatures()); err != nil {
			return nil, err
		}
		r.bases = base.NewSet(sources, r.resolved.Plan.Lock)
	}
	var err error
	if r.dist, err = publish.Open(ctx, r.Dist, waiting(r.Session), r.cache.Sums()); err != nil {
		return nil, err
	}
	r.background.Go(func() { _ = r.dist.Examine(ctx) }) // this only saves time
	m := &built{units: r.units(), archiveOnly: r.archiveOnlyUnits()}
	if err := r.make(ctx, slices.Concat(m.units, m.archiveOnly), r.images); err != nil {
		return nil, err
	}
	if r.images {
		if m.indexes, err = r.buildIndexes(m.units); err != nil {
			return nil, err
		}
	}
	if err := checkAll(ctx, m.units, m.archiveOnly); err != nil {
		return nil, err
	}
	return m, nil
}

// finished returns the outcome of a run.
func (r *run) finished(result *Result, err error) (*Result, error) {
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(r.cache.Trim(debianMirror(r.Session).Cache), r.trimWork()); err != nil {
		r.Progress.Notice(fmt.Sprintf("the cache was not trimmed: %v", err))
	}
	result.Stages, result.Elapsed = r.times.ended(), time.Since(r.began)
	return result, nil
}

// end closes everything that the run has open, and completes its error. Without a commit, the
// output folder stays unchanged.
func (r *run) end(err error) error {
	r.closeFiles()
	if r.bases != nil {
		if err := r.bases.Close(); err != nil {
			r.Progress.Notice(err.Error())
		}
	}
	if r.dist != nil {
		err = errors.Join(err, r.dist.Close()) // nothing is left to close after a commit
	}
	return r.unfetched(err)
}

// closeFiles closes the binaries, which were only read.
func (r *run) closeFiles() {
	r.background.Wait()
	for _, f := range r.open {
		f.Close()
	}
}

// openCache opens the cache of layers and documents.
func (r *run) openCache(ctx context.Context) error {
	var err error
	if r.cache, err = cache.Open(filepath.Join(r.Cache, "content"), cache.Options{HashAll: r.hashAll}); err != nil {
		return err
	}
	r.modules = modsum.Open(r.resolved.Go.Setting("GOMODCACHE"), r.cache, r.hashAll)
	r.cacheVersion, err = kitCacheVersion(ctx, r.resolved.Plan.Kit)
	return err
}

// stageOutput stages everything for the output folder, and passes the images to the requested
// engine and archive, because these can fail. layouts are those of images that are signed in
// the output folder.
func (r *run) stageOutput(ctx context.Context, m *built, layouts []release.Layout) (*Result, error) {
	result := r.result()
	if r.asked.Summary != nil && r.images {
		result.Previous = r.findPrevious(ctx)
	}
	for _, img := range r.resolved.Plan.Images {
		mine := of(m.units, img)
		for _, u := range mine {
			if err := r.dist.Copy(ctx, u.binaryPath(), u.file, u.sha256); err != nil {
				return nil, err
			}
			if u.symbols != nil {
				if err := r.dist.Copy(ctx, u.symbolsPath(), u.symbols.file, u.symbols.sha256); err != nil {
					return nil, err
				}
			}
		}
		made := ImageResult{Name: img.Name, Package: img.Package, Reference: img.Reference(), Tags: img.Tags}
		for _, index := range m.indexes {
			if index.Image.Name != img.Name {
				continue
			}
			made.Digest, made.Layout = index.Descriptor.Digest.String(), path.Join("oci", img.Name+r.debug.suffix())
			if err := r.handOver(ctx, img, mine, result); err != nil {
				return nil, err
			}
			if err := r.stageImage(ctx, made.Layout, index, mine, layouts); err != nil {
				return nil, err
			}
		}
		for _, u := range mine {
			made.Platforms = append(made.Platforms, u.result())
		}
		result.Images = append(result.Images, made)
	}
	return result, nil
}

// stageImage stages the layout and the SBOMs of one image.
func (r *run) stageImage(ctx context.Context, layout string, index artifact.Index, units []*unit, layouts []release.Layout) error {
	for _, u := range units {
		if err := r.dist.Write(u.sbom.SPDX, u.spdx); err != nil {
			return err
		}
		if err := r.dist.Write(u.sbom.CycloneDX, u.cyclonedx); err != nil {
			return err
		}
	}
	content := publish.Content{Reference: index.Image.Reference(), Index: index.V1}
	for _, l := range layouts {
		if l.Image == index.Image.Name {
			content.Annotations, content.Referrers = l.Annotations, l.Referrers
		}
	}
	return r.dist.Layout(ctx, layout, content)
}

// handOver passes an image to the requested engine and archive, and adds them to the result.
func (r *run) handOver(ctx context.Context, img plan.Image, units []*unit, result *Result) error {
	if r.asked.Load {
		u, err := r.native(units)
		if err != nil {
			return err
		}
		loaded, err := r.engine.Load(ctx, []string{img.Reference()}, u.built)
		if err != nil {
			return err
		}
		result.Loaded = append(result.Loaded, loaded)
	}
	if r.asked.Archive == "" {
		return nil
	}
	if len(r.resolved.Plan.Images) > 1 || len(units) > 1 {
		return fmt.Errorf("write docker archive %s: it holds one image for one platform; choose one with -platform and Config.Images", r.asked.Archive)
	}
	result.Archive = r.asked.Archive
	return atomicfile.WriteFunc(r.Path(r.asked.Archive), 0o644, func(w io.Writer) error {
		return publish.Archive(ctx, w, []string{img.Reference()}, units[0].built)
	})
}

// commit writes the summary and moves everything into place, the manifest last.
func (r *run) commit(ctx context.Context, m *built, result *Result) error {
	if r.asked.Summary != nil && r.images {
		text, err := r.asked.Summary(result)
		if err != nil {
			return err
		}
		if err := r.dist.Write("summary.md", text); err != nil {
			return err
		}
	}
	manifest, err := result.Manifest.JSON()
	if err != nil {
		return err
	}
	if err := checkAll(ctx, m.units, m.archiveOnly); err != nil {
		return err
	}
	return r.dist.Commit(ctx, manifest)
}

// of returns the units of one image.
func of(units []*unit, img plan.Image) (mine []*unit) {
	for _, u := range units {
		if u.image.Name == img.Name {
			mine = append(mine, u)
		}
	}
	return mine
}

// buildIndexes joins each image's platforms in an index.
func (r *run) buildIndexes(units []*unit) ([]artifact.Index, error) {
	var all []artifact.Index
	for _, img := range r.resolved.Plan.Images {
		var built []v1.Image
		mine := of(units, img)
		for _, u := range mine {
			built = append(built, u.built)
		}
		index, err := image.Index(r.resolved.Plan.Of(img), img, mine[0].base.Image, built)
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

// native returns the unit that this machine's engine can run: the only one, or that of this
// machine's architecture.
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

// binaryPath returns the path of the binary below the output folder.
func (u *unit) binaryPath() string {
	return path.Join("bin", u.image.Name, u.platform.Key(), u.image.Name)
}

// result returns the unit in the form of the manifest.
func (u *unit) result() PlatformResult {
	made := PlatformResult{
		Platform: u.platform, Base: u.image.Base, BaseDigest: u.base.Digest(), Digest: u.digest, Size: u.imageSize, Layers: u.sizes, SBOM: u.sbom,
		Binary: Binary{Path: u.binaryPath(), SHA256: u.sha256, Size: u.size, Static: !u.dynamic()},
		Needs:  []Need{},
	}
	for _, l := range u.libraries {
		made.Binary.Libraries = append(made.Binary.Libraries, Library(l))
	}
	if u.symbols != nil {
		made.Binary.BuildID, made.Binary.Symbols = u.buildID, u.symbolsPath()
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
