// Package compare says how two builds differ, and why. It takes two builds, each a plan, digests
// and, if available, the images and documents themselves, and returns a [Report]: the first
// difference at every depth (the index, a manifest, a configuration, a layer, a file in it, a
// section of an executable, its build info, a document), and their causes.
//
// It fetches nothing and prints nothing. It writes only temporary files into a folder of its
// caller, and removes them before it returns.
package compare

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/report"
)

// Compare compares two builds image by image and platform by platform. tmp is a folder for
// temporary files. An error means that the input could not be read.
func Compare(ctx context.Context, a, b Build, tmp string) (*Report, error) {
	c := &comparison{a: a, b: b, tmp: tmp, report: &Report{A: a.Name, B: b.Name, Same: true,
		Compared: []Digest{}}}
	if err := c.plans(); err != nil {
		return nil, err
	}
	for _, x := range a.Images {
		at := slices.IndexFunc(b.Images, func(y Image) bool { return y.Name == x.Name })
		if at < 0 {
			c.only(x.Name, a.Name, b.Name)
			continue
		}
		if err := c.image(ctx, x, b.Images[at]); err != nil {
			return nil, fmt.Errorf("compare %s: %w", x.Name, err)
		}
	}
	for _, y := range b.Images {
		if !slices.ContainsFunc(a.Images, func(x Image) bool { return x.Name == y.Name }) {
			c.only(y.Name, b.Name, a.Name)
		}
	}
	c.sources()
	c.report.Causes = c.causes()
	return c.report, nil
}

func (c *comparison) image(ctx context.Context, x, y Image) error {
	if x.Digest != "" && y.Digest != "" {
		c.report.Compared = append(c.report.Compared, Digest{Image: x.Name, A: x.Digest, B: y.Digest})
	}
	if x.Digest != y.Digest && x.Digest != "" && y.Digest != "" {
		c.report.Same = false
		if x.Index != nil && y.Index != nil {
			if err := c.documents(report.DepthIndex, x.Name, "", "", x.Index, y.Index); err != nil {
				return fmt.Errorf("read the index: %w", err)
			}
		}
	}
	for _, p := range x.Platforms {
		at := slices.IndexFunc(y.Platforms, func(q Platform) bool { return q.Platform == p.Platform })
		if at < 0 {
			c.only(x.Name+" "+p.Platform, c.a.Name, c.b.Name)
			continue
		}
		if err := c.platform(ctx, x.Name, p, y.Platforms[at]); err != nil {
			return fmt.Errorf("%s: %w", p.Platform, err)
		}
	}
	for _, q := range y.Platforms {
		if !slices.ContainsFunc(x.Platforms, func(p Platform) bool { return p.Platform == q.Platform }) {
			c.only(x.Name+" "+q.Platform, c.b.Name, c.a.Name)
		}
	}
	return nil
}

func (c *comparison) platform(ctx context.Context, image string, p, q Platform) error {
	of := &pair{comparison: c, image: image, platform: p.Platform}
	digests := p.Digest != "" && q.Digest != ""
	if digests {
		c.report.Compared = append(c.report.Compared,
			Digest{Image: image, Platform: p.Platform, A: p.Digest, B: q.Digest})
		c.report.Same = c.report.Same && p.Digest == q.Digest
	}
	switch {
	case digests && p.Digest == q.Digest, !digests && p.Binary == q.Binary &&
		slices.Equal(p.Further, q.Further):
	case p.Image != nil && q.Image != nil:
		if err := of.images(ctx, p.Image, q.Image); err != nil {
			return err
		}
	default:
		if err := of.listed(ctx, p, q); err != nil {
			return err
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(p.Documents)) {
		y, ok := q.Documents[kind]
		if !ok || bytes.Equal(p.Documents[kind], y) {
			continue
		}
		if err := c.documents(report.DepthDocument, image, p.Platform, kind,
			p.Documents[kind], y); err != nil {
			return fmt.Errorf("read the document %s: %w", kind, err)
		}
	}
	return nil
}

// listed compares two manifest.json files, with the binaries if available.
func (p *pair) listed(ctx context.Context, x, y Platform) error {
	if x.Digest != "" && y.Digest != "" {
		p.note(
			"the layouts of both builds are not available, so the layers and their files were not compared")
	}
	names := map[string]bool{}
	for _, l := range slices.Concat(x.Layers, y.Layers) {
		names[l.Name] = true
	}
	digestOf := func(layers []Layer, name string) string {
		for _, l := range layers {
			if l.Name == name {
				return l.Digest
			}
		}
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a, b := digestOf(x.Layers, name), digestOf(y.Layers, name); a != b {
			p.differ(report.DepthLayer, name, "digest", a, b)
			break
		}
	}
	if !slices.Equal(x.Further, y.Further) {
		p.differ(report.DepthFile, "the other programs", "sha256", strings.Join(x.Further, " "),
			strings.Join(y.Further, " "))
	}
	if x.Binary == y.Binary || x.Binary == "" || y.Binary == "" {
		return nil
	}
	p.differ(report.DepthFile, "the binary", "sha256", x.Binary, y.Binary)
	if x.OpenBinary == nil || y.OpenBinary == nil {
		return nil
	}
	return p.binaryFiles(ctx, x.OpenBinary, y.OpenBinary)
}
