package base

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	packageurl "github.com/package-url/packageurl-go"

	"github.com/thimble-build/thimble/build/internal/baseimage"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// image reads an existing image by the pinned digest.
func (s *Set) image(ctx context.Context, use lock.Use) (Base, string, error) {
	pinned := lock.Image(s.pinned, use.Base)
	if pinned == nil {
		return Base{}, "", errNotPinned(use)
	}
	img, err := s.sources.images().Image(ctx, *pinned, use.Platform)
	if err != nil {
		return Base{}, "", err
	}
	in := &image.Base{
		Name: pinned.Reference, Digest: img.Digest.String(), Index: pinned.Digest,
		Config: img.Config.Config, History: img.Config.History,
	}
	h := sha256.New()
	for _, l := range img.Layers {
		digest, err := l.Digest()
		if err != nil {
			return Base{}, "", err
		}
		fmt.Fprintln(h, digest)
		in.Layers = append(in.Layers, image.Layer{Layer: l, Name: "base"})
	}
	b := s.sources.base(in, hex.EncodeToString(h.Sum(nil)), img.Config.RootFS.DiffIDs)
	b.components = func(context.Context) ([]tree.Component, error) {
		return []tree.Component{imageComponent(*pinned, img.Digest, use.Platform)}, nil
	}
	_, err = b.files(ctx) // this checks the hashes of the tars
	return b, progress.Count(len(img.Layers), "layer"), err
}

func errNotPinned(use lock.Use) error { return fmt.Errorf("base %s is not in the plan's lock", use) }

// imageComponent returns the image as a component of an SBOM. The image's own SBOMs list its
// content.
func imageComponent(l plan.ImageLock, digest v1.Hash, platform plan.Platform) tree.Component {
	c := tree.Component{
		Name: l.Reference, Version: digest.String(), SHA256: digest.Hex,
		Description: "base image " + l.Reference,
	}
	qualifiers := map[string]string{"arch": platform.Architecture}
	name := path.Base(filepath.ToSlash(l.Reference))
	if ref, err := baseimage.Parse(l.Reference); err == nil && ref.Kind == baseimage.Registry {
		c.Name, name = ref.Repository, path.Base(ref.Repository)
		qualifiers["repository_url"] = ref.Repository
		if ref.Tag != "" {
			qualifiers["tag"] = ref.Tag
		}
	}
	c.PURL = packageurl.NewPackageURL(
		packageurl.TypeOCI, "", strings.ToLower(name), c.Version, packageurl.QualifiersFromMap(qualifiers),
		"",
	).ToString()
	for _, p := range l.Platforms {
		if p.Platform == platform {
			for _, s := range p.SBOMs {
				c.SBOMs = append(c.SBOMs, s.Reference)
			}
		}
	}
	return c
}
