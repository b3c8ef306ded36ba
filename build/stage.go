package build

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/assemble"
	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/release"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// staging says what else than the images a stage puts into the output folder.
type staging struct {
	draft *resolve.Resolved
	// suffix is added to the names of debug images.
	suffix string
	// engine gets the images, if that was requested.
	engine publish.Engine
	// layouts are those of images that are signed in the output folder.
	layouts []release.Layout
}

// stage stages everything for the output folder, and passes the images to the requested engine and
// archive, because these can fail.
func (c *call) stage(ctx context.Context, out *output, made *pipeline.Built, s staging) (*Result, error) {
	result := c.result(made.Plan, made.Tests)
	if c.options.Summary != nil && len(made.Indexes) > 0 && s.suffix == "" {
		result.Previous = c.findPrevious(ctx, s.draft, made.Plan)
	}
	for i, img := range made.Plan.Images {
		shown := ImageResult{Name: img.Name, Package: img.Package, Reference: img.Reference(), Tags: img.Tags}
		mine := made.Of(img.Name)
		for _, one := range mine {
			if err := out.dist.Copy(ctx, binaryPath(one), one.Binary.File(), one.SHA256); err != nil {
				return nil, err
			}
			if one.Symbols != nil {
				if err := out.dist.Copy(ctx, symbolsPath(one), one.Symbols.File(), one.Symbols.SHA256); err != nil {
					return nil, err
				}
			}
			shown.Platforms = append(shown.Platforms, platformResult(one, s.suffix))
		}
		if len(made.Indexes) > 0 {
			index := made.Indexes[i]
			shown.Digest, shown.Layout = index.Descriptor.Digest.String(), path.Join("oci", img.Name+s.suffix)
			if err := c.handOver(ctx, s, img, mine, result); err != nil {
				return nil, err
			}
			if err := stageImage(ctx, out.dist, shown, index, mine, s.layouts); err != nil {
				return nil, err
			}
		}
		result.Images = append(result.Images, shown)
	}
	return result, nil
}

// stageImage stages the layout and the SBOMs of one image.
func stageImage(ctx context.Context, dist *publish.Dist, shown ImageResult, index artifact.Index, images []*assemble.Image, layouts []release.Layout) error {
	for i, one := range images {
		sbom := shown.Platforms[i].SBOM
		if err := dist.Write(sbom.SPDX, one.SPDX); err != nil {
			return err
		}
		if err := dist.Write(sbom.CycloneDX, one.CycloneDX); err != nil {
			return err
		}
	}
	content := publish.Content{Reference: index.Image.Reference(), Index: index.V1}
	for _, l := range layouts {
		if l.Image == index.Image.Name {
			content.Annotations, content.Referrers = l.Annotations, l.Referrers
		}
	}
	return dist.Layout(ctx, shown.Layout, content)
}

// handOver passes an image to the requested engine and archive, and adds them to the result.
func (c *call) handOver(ctx context.Context, s staging, img plan.Image, images []*assemble.Image, result *Result) error {
	if c.options.Load {
		_, arch := s.draft.Go.Host()
		one, err := native(images, arch)
		if err != nil {
			return err
		}
		loaded, err := s.engine.Load(ctx, []string{img.Reference()}, one.V1)
		if err != nil {
			return err
		}
		result.Loaded = append(result.Loaded, loaded)
	}
	if c.options.Archive == "" {
		return nil
	}
	result.Archive = c.options.Archive
	return atomicfile.WriteFunc(c.Path(c.options.Archive), 0o644, func(w io.Writer) error {
		return publish.Archive(ctx, w, []string{img.Reference()}, images[0].V1)
	})
}

// native returns the image that this machine's engine can run: the only one, or that of this
// machine's architecture.
func native(images []*assemble.Image, arch string) (*assemble.Image, error) {
	if len(images) == 1 {
		return images[0], nil
	}
	for _, i := range images {
		if i.Platform.Architecture == arch {
			return i, nil
		}
	}
	return nil, fmt.Errorf("load %s: none of the platforms is this machine's; choose one with -platform", images[0].Image.Name)
}

// commit writes the summary and moves everything into place, the manifest last.
func (c *call) commit(ctx context.Context, out *output, made *pipeline.Built, result *Result) error {
	if c.options.Summary != nil && len(made.Indexes) > 0 {
		text, err := c.options.Summary(result)
		if err != nil {
			return err
		}
		if err := out.dist.Write("summary.md", text); err != nil {
			return err
		}
	}
	manifest, err := result.Manifest.JSON()
	if err != nil {
		return err
	}
	if err := made.Check(ctx); err != nil {
		return err
	}
	return out.dist.Commit(ctx, manifest)
}

// binaryPath returns the path of the binary below the output folder, symbolsPath that of its
// symbols.
func binaryPath(i *assemble.Image) string {
	return path.Join("bin", i.Image.Name, i.Platform.Key(), i.Image.Name)
}

func symbolsPath(i *assemble.Image) string { return path.Join("debug", i.Symbols.Path()) }

// platformResult returns an image in the form of the manifest.
func platformResult(i *assemble.Image, suffix string) PlatformResult {
	shown := PlatformResult{
		Platform: i.Platform, Base: i.Image.Base, BaseDigest: i.Base.Digest(), Size: i.Size,
		Binary: Binary{Path: binaryPath(i), SHA256: i.SHA256, Size: i.Binary.Size, Static: !i.Binary.Dynamic()},
		Needs:  []Need{},
	}
	if i.V1 != nil {
		name := path.Join("sbom", i.Image.Name+suffix+"_"+i.Platform.Key())
		shown.Digest = i.Descriptor.Digest.String()
		shown.SBOM = &SBOM{SPDX: name + ".spdx.json", CycloneDX: name + ".cdx.json", Components: i.Components}
	}
	for _, l := range i.Layers {
		shown.Layers = append(shown.Layers, Layer{Name: l.Name, Digest: l.Digest.String(), Size: l.Size})
	}
	for _, l := range i.Libraries {
		shown.Binary.Libraries = append(shown.Binary.Libraries, Library(l))
	}
	if i.Symbols != nil {
		shown.Binary.BuildID, shown.Binary.Symbols = i.Symbols.BuildID, symbolsPath(i)
	}
	for _, n := range i.Needs {
		need := Need{Need: n, Files: []string{}, InBase: slices.Contains(i.InBase, n.Name)}
		if !n.Embedded && n.Name != plan.NeedExec && !need.InBase {
			need.Files = tree.NeedPaths(n.Name)
		}
		shown.Needs = append(shown.Needs, need)
	}
	return shown
}
