// Package output puts what was built into the output folder, and returns it in the form of
// manifest.json. It names the files in the folder.
package output

import (
	"context"
	"path"
	"slices"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/assemble"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/release"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// Stage stages everything that was built. suffix is added to the names of debug images. layouts are
// those of images that are signed in the output folder.
func Stage(ctx context.Context, dist *publish.Dist, made *pipeline.Built, suffix string,
	layouts []release.Layout) ([]report.ImageResult, error) {
	images := Images(made, suffix)
	for i, shown := range images {
		mine := made.Of(shown.Name)
		for _, one := range mine {
			for _, e := range one.Executables() {
				if err := dist.Copy(ctx, binaryPath(e), e.Binary.File(), e.SHA256); err != nil {
					return nil, err
				}
				if e.Symbols != nil {
					if err := dist.Copy(ctx, symbolsPath(e), e.Symbols.File(), e.Symbols.SHA256); err != nil {
						return nil, err
					}
				}
			}
		}
		if len(made.Indexes) > 0 {
			if err := stageImage(ctx, dist, shown, made.Indexes[i], mine, layouts); err != nil {
				return nil, err
			}
		}
	}
	return images, nil
}

// Images returns what was built in the form of the manifest. It writes nothing. suffix is that of
// Stage.
func Images(made *pipeline.Built, suffix string) []report.ImageResult {
	var images []report.ImageResult
	for i, img := range made.Plan.Images {
		shown := report.ImageResult{Name: img.Name, Package: img.Package, Reference: img.Reference(),
			Tags: img.Tags}
		for _, one := range made.Of(img.Name) {
			shown.Platforms = append(shown.Platforms, platform(one, suffix))
		}
		if len(made.Indexes) > 0 {
			shown.Digest, shown.Layout = made.Indexes[i].Descriptor.Digest.String(),
				path.Join("oci", img.Name+suffix)
		}
		images = append(images, shown)
	}
	return images
}

// stageImage stages the layout and the SBOMs of one image.
func stageImage(ctx context.Context, dist *publish.Dist, shown report.ImageResult, index artifact.Index,
	images []*assemble.Image, layouts []release.Layout) error {
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

// binaryPath returns the path of a binary below the output folder, symbolsPath that of its symbols.
func binaryPath(e assemble.Executable) string {
	p := e.Binary.Program
	return path.Join("bin", p.Image.Name, p.Platform.Key(), p.Name)
}

func symbolsPath(e assemble.Executable) string { return path.Join("debug", e.Symbols.Path()) }

// binary returns a program in the form of the manifest, without libraries.
func binary(e assemble.Executable) report.Binary {
	shown := report.Binary{Path: binaryPath(e), SHA256: e.SHA256, Size: e.Binary.Size,
		Static: !e.Binary.Dynamic()}
	if e.Symbols != nil {
		shown.BuildID, shown.Symbols = e.Symbols.BuildID, symbolsPath(e)
	}
	return shown
}

// platform returns an image in the form of the manifest.
func platform(i *assemble.Image, suffix string) report.PlatformResult {
	shown := report.PlatformResult{
		Platform: i.Platform, Base: i.Image.Base, BaseDigest: i.Base.Digest(), Size: i.Size,
		Binary: binary(i.Executable), Needs: []report.Need{},
	}
	for _, e := range i.Further {
		shown.Programs = append(shown.Programs, binary(e))
	}
	if i.V1 != nil {
		name := path.Join("sbom", i.Image.Name+suffix+"_"+i.Platform.Key())
		shown.Digest = i.Descriptor.Digest.String()
		shown.SBOM = &report.SBOM{SPDX: name + ".spdx.json", CycloneDX: name + ".cdx.json",
			Components: i.Components}
	}
	for _, l := range i.Layers {
		shown.Layers = append(shown.Layers, report.Layer{Name: l.Name, Digest: l.Digest.String(),
			Size: l.Size})
	}
	for _, l := range i.Libraries {
		shown.Binary.Libraries = append(shown.Binary.Libraries, report.Library(l))
	}
	for _, n := range i.Needs {
		need := report.Need{Need: n, Files: []string{}, InBase: slices.Contains(i.InBase, n.Name)}
		if !n.Embedded && n.Name != plan.NeedExec && !need.InBase {
			need.Files = tree.NeedPaths(n.Name)
		}
		shown.Needs = append(shown.Needs, need)
	}
	return shown
}
