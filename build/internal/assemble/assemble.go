// Package assemble makes an image for one platform from a proven binary: its layers, its
// configuration and its SBOMs. It takes a final plan, a binary, a base and the licences of the
// linked modules, and returns an Image. A program that goes only into an archive gets just the
// SBOMs.
//
// Layers and SBOMs come from the cache if it has them. The package writes only there.
package assemble

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/dynlink"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/needs"
	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// Input is what an image is made of.
type Input struct {
	// Plan is final, and Target is one of its images.
	Plan   *plan.Plan
	Target artifact.Target
	// Programs are those of the target: first the one that the image runs.
	Programs []Program
	// Base is below the layers of the image.
	Base base.Base
	// Extra is what a debug image has in addition.
	Extra Extra

	// Dir is the absolute path of the module's folder. Executable reports which assets are
	// executable in the commit, by their paths relative to Dir; nil without git.
	Dir        string
	Executable map[string]bool
	// GOROOT has the time zones. Suite is the Debian release that packages are from.
	GOROOT, Suite string

	// Licenses are those of the modules of all programs and of "std", by path. Texts are the
	// licence texts for the image; nil if it has none.
	Licenses map[string]license.Result
	Texts    []byte

	// Cache keeps layers and documents, documents separately for each CacheVersion.
	Cache        *cache.Cache
	CacheVersion string
}

// Program is a compiled program.
type Program struct {
	Binary *compile.Binary
	// Symbols are those of the binary; nil if they are not kept.
	Symbols *compile.Symbols
	// Modules are the linked modules, including the main module.
	Modules []golist.Module
}

// Executable is a program of an image.
type Executable struct {
	Binary *compile.Binary
	// SHA256 is that of the binary, in hex.
	SHA256 string
	// Symbols are the debug symbols of the binary; nil if they are not kept.
	Symbols *compile.Symbols
}

// Image is an image for one platform, complete.
type Image struct {
	artifact.Target
	// Executable is the one that the image runs, Further are those of its other programs.
	Executable
	Further []Executable
	// Needs are what the image has of an operating system. InBase names those that the base
	// already satisfies.
	Needs  []plan.Need
	InBase []string
	// Libraries are those that the binaries load when they start.
	Libraries []dynlink.Library
	Texts     []byte // of licences; nil if there are none

	// The SBOMs, and how many components they list.
	SPDX, CycloneDX []byte
	Components      int

	// The remaining fields are empty for a program that goes only into an archive. V1 is the
	// image. Size is the size of a download in bytes. Layers are from the bottom to the top.
	V1         v1.Image
	Descriptor v1.Descriptor
	Size       int64
	Base       base.Base
	Layers     []Layer

	owned    []image.Layer // above the base
	contents func(context.Context) (sbom.Input, error)
}

// Layer is a compressed layer.
type Layer struct {
	// Name is "base", "rootfs", "assets", "binary", "program NAME" or that of an Extra.
	Name   string
	Digest v1.Hash
	Size   int64 // bytes
}

// Assemble makes the image. Layers and SBOMs are made at the same time.
func Assemble(ctx context.Context, in Input) (*Image, error) {
	img := &Image{Target: in.Target, Base: in.Base, Texts: in.Texts}
	if in.Target.ArchiveOnly {
		img.contents = in.contents(nil, nil)
		err := in.describe(ctx, img, keys{})
		return img, err
	}
	img.Needs = in.needs()
	var err error
	if img.InBase, err = in.Base.Covers(ctx, in.Target.Image); err != nil {
		return nil, err
	}
	l, err := in.layers(ctx, img)
	if err != nil {
		return nil, err
	}
	if img.Libraries, err = in.libraries(ctx, l); err != nil {
		return nil, err
	}
	img.contents = in.contents(img.Libraries, l.components)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for _, make := range l.make {
			made, err := make(gctx)
			if err != nil {
				return fmt.Errorf("assemble %s: %w", in.Target, err)
			}
			img.owned = append(img.owned, made)
		}
		return nil
	})
	g.Go(func() error { return in.describe(ctx, img, l.keys) })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := in.build(img); err != nil {
		return nil, fmt.Errorf("assemble %s: %w", in.Target, err)
	}
	return img, nil
}

// first returns the program that the image runs.
func (in Input) first() Program { return in.Programs[0] }

// needs decides what the image gets, by what its binaries can use.
func (in Input) needs() []plan.Need {
	img := in.Target.Image
	if in.Extra.Toolbox { // it has no service
		return (&needs.Report{}).Apply(img.Include, nil)
	}
	var report needs.Report
	for _, p := range in.Programs {
		report = report.And(p.Binary.Report)
	}
	if img.Cgo {
		report = report.WithC()
	}
	return report.Apply(img.Include, img.Exclude)
}

// Files returns the names of the needs that the image has files for, except those that its base
// satisfies.
func (i *Image) Files() []string {
	var names []string
	for _, n := range i.Needs {
		if !n.Embedded && n.Name != plan.NeedExec && !slices.Contains(i.InBase, n.Name) {
			names = append(names, n.Name)
		}
	}
	return names
}

// libraries finds the libraries of binaries that were compiled with cgo, sorted by path if there are
// several binaries. A static binary, and one on scratch, has none.
func (in Input) libraries(ctx context.Context, l layers) (all []dynlink.Library, err error) {
	for _, p := range in.Programs {
		if !p.Binary.Dynamic() || in.Base.Image == nil {
			continue
		}
		sum, err := p.Binary.SHA256()
		if err != nil {
			return nil, err
		}
		found, err := dynlink.Libraries(ctx, dynlink.Input{
			Image: in.Target.Image, Platform: in.Target.Platform, ELF: p.Binary.ELF, SHA256: sum,
			Base: in.Base, Assets: l.assets, AssetsKey: l.keys.assets, Suite: in.Suite,
			Cache: in.Cache, CacheVersion: in.CacheVersion,
		})
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = found
			continue
		}
		all = append(all, found...)
		slices.SortFunc(all, func(a, b dynlink.Library) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Name, b.Name))
		})
		all = slices.Compact(all)
	}
	return all, nil
}

// build builds the image from the layers.
func (in Input) build(img *Image) error {
	binary := tree.AppPath(img.Image.Name)
	if in.Extra.Executable != "" {
		binary = in.Extra.Executable
	}
	entrypoint := img.Image.Runtime.Entrypoint
	if in.Extra.Entrypoint != nil {
		entrypoint = in.Extra.Entrypoint
	}
	var err error
	img.V1, err = image.Build(image.Input{
		Plan: in.Plan.Of(img.Image), Image: img.Image, Platform: img.Platform,
		Binary: binary, Entrypoint: entrypoint, Needs: img.Files(), Layers: img.owned, Base: in.Base.Image,
	})
	if err != nil {
		return err
	}
	descriptor, err := partial.Descriptor(img.V1)
	if err != nil {
		return err
	}
	manifest, err := img.V1.Manifest()
	if err != nil {
		return err
	}
	img.Descriptor, img.Size = *descriptor, descriptor.Size+manifest.Config.Size
	named := slices.Concat(in.Base.Layers(), img.owned)
	for i, l := range manifest.Layers {
		img.Size += l.Size
		img.Layers = append(img.Layers, Layer{Name: named[i].Name, Digest: l.Digest, Size: l.Size})
	}
	return nil
}

// Executables returns the programs of the image: first the one that it runs.
func (i *Image) Executables() []Executable { return append([]Executable{i.Executable}, i.Further...) }

// Check returns an error if a binary or a layer of the image has changed since it was hashed. It
// proves that the same content was hashed, described and copied, although at different times.
func (i *Image) Check(ctx context.Context) error {
	for _, e := range i.Executables() {
		if err := e.Binary.Check(ctx); err != nil {
			return err
		}
	}
	for _, l := range slices.Concat(i.Base.Layers(), i.owned) {
		if cached, ok := l.Layer.(*cache.Layer); ok {
			if err := cached.Check(ctx); err != nil {
				return fmt.Errorf("check a layer of %s: %w", i, err)
			}
		}
	}
	return nil
}

// Described returns the image with the facts for its documents and signatures.
func (i *Image) Described(ctx context.Context) (artifact.Described, error) {
	contents, err := i.contents(ctx)
	if err != nil {
		return artifact.Described{}, err
	}
	return artifact.Described{
		Image: i.Image.Name, Descriptor: i.Descriptor, Binary: i.SHA256, SPDX: i.SPDX,
		CycloneDX: i.CycloneDX, Contents: contents,
	}, nil
}

// Binaries returns the Image of a run that makes only binaries: it has no layers and no SBOMs.
func Binaries(in Input) (*Image, error) {
	img := &Image{Target: in.Target, Needs: in.needs()}
	return img, in.hash(img)
}

// hash waits until all binaries are hashed, and sets the executables of the image.
func (in Input) hash(img *Image) error {
	img.Further = nil
	for i, p := range in.Programs {
		sum, err := p.Binary.SHA256()
		if err != nil {
			return err
		}
		e := Executable{Binary: p.Binary, SHA256: sum, Symbols: p.Symbols}
		if i == 0 {
			img.Executable = e
		} else {
			img.Further = append(img.Further, e)
		}
	}
	return nil
}
