package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/report"
)

// images compares two images: manifest, configuration, layers.
func (p *pair) images(ctx context.Context, a, b v1.Image) error {
	for _, of := range []struct {
		depth Depth
		raw   func(v1.Image) ([]byte, error)
	}{{report.DepthManifest, v1.Image.RawManifest}, {report.DepthConfig, v1.Image.RawConfigFile}} {
		x, err := of.raw(a)
		if err != nil {
			return fmt.Errorf("read the %s: %w", of.depth, err)
		}
		y, err := of.raw(b)
		if err != nil {
			return fmt.Errorf("read the %s: %w", of.depth, err)
		}
		if bytes.Equal(x, y) {
			continue
		}
		if err := p.documents(of.depth, p.image, p.platform, "", x, y); err != nil {
			return fmt.Errorf("read the %s: %w", of.depth, err)
		}
		if of.depth == report.DepthConfig {
			if err := p.settings(x, y); err != nil {
				return fmt.Errorf("read the %s: %w", of.depth, err)
			}
		}
	}
	x, err := layersOf(a)
	if err != nil {
		return err
	}
	y, err := layersOf(b)
	if err != nil {
		return err
	}
	return p.layers(ctx, x, y)
}

// settings records the causes of differences of two image configurations, if the plans are not
// known.
func (c *comparison) settings(a, b []byte) error {
	if c.a.Plan != nil && c.b.Plan != nil {
		return nil
	}
	fields, err := jsonDifferences(a, b, 64)
	if err != nil {
		return err
	}
	for _, f := range fields {
		_, label, isLabel := strings.Cut(f.path, "/Labels/")
		switch {
		case strings.HasPrefix(f.path, "/rootfs"), strings.HasPrefix(f.path, "/history"):
		case f.path == "/created", isLabel && strings.HasSuffix(label, ".created"):
			c.cause(report.CauseEpoch, "the image's time is %s / %s", f.a, f.b)
		case isLabel && (strings.HasSuffix(label, ".revision") || strings.HasSuffix(label, ".version") ||
			strings.HasSuffix(label, "-version") || strings.HasSuffix(label, ".dirty")):
			c.cause(report.CauseVCS, "the label %s is %s / %s", strings.ReplaceAll(label, "~1", "/"), f.a,
				f.b)
		default:
			c.cause(report.CauseConfig, "%s of the configuration is %s / %s", f.path, f.a, f.b)
		}
	}
	return nil
}

// imageLayer is a layer with its name in the image's history.
type imageLayer struct {
	v1.Layer
	name           string
	digest, diffID v1.Hash
	media          types.MediaType
}

func layersOf(img v1.Image) ([]imageLayer, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("read the layers: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	var names []string
	for _, h := range config.History {
		if !h.EmptyLayer {
			names = append(names, strings.TrimPrefix(h.CreatedBy, "thimble "))
		}
	}
	all := make([]imageLayer, len(layers))
	seen := map[string]bool{}
	for i, l := range layers {
		all[i].Layer = l
		if len(names) == len(layers) {
			all[i].name = short(names[i])
		}
		if all[i].name == "" || seen[all[i].name] {
			all[i].name = fmt.Sprintf("layer %d", i+1)
		}
		seen[all[i].name] = true
		if all[i].digest, err = l.Digest(); err != nil {
			return nil, fmt.Errorf("read layer %s: %w", all[i].name, err)
		}
		if all[i].diffID, err = l.DiffID(); err != nil {
			return nil, fmt.Errorf("read layer %s: %w", all[i].name, err)
		}
		if all[i].media, err = l.MediaType(); err != nil {
			return nil, fmt.Errorf("read layer %s: %w", all[i].name, err)
		}
	}
	return all, nil
}

// layers compares the layers of one name. It looks into the first one that differs, and into the
// one with the binary, which explains the cause best.
func (p *pair) layers(ctx context.Context, a, b []imageLayer) error {
	first := true
	for _, x := range a {
		at := slices.IndexFunc(b, func(y imageLayer) bool { return y.name == x.name })
		if at < 0 {
			if first {
				p.differ(report.DepthLayer, x.name, "", x.digest.String(), "")
			}
			first = false
			p.cause(report.CauseBase, "only %s has the layer %s", p.a.Name, x.name)
			continue
		}
		y := b[at]
		if x.digest == y.digest {
			continue
		}
		switch {
		case x.diffID == y.diffID:
			if first {
				p.differ(report.DepthLayer, x.name, "digest", x.digest.String(), y.digest.String())
			}
			if err := p.compressed(x, y); err != nil {
				return err
			}
		case first || x.name == "binary":
			p.differ(report.DepthLayer, x.name, "digest", x.digest.String(), y.digest.String())
			if err := p.files(ctx, x, y); err != nil {
				return fmt.Errorf("compare layer %s: %w", x.name, err)
			}
		}
		first = false
	}
	for _, y := range b {
		if slices.ContainsFunc(a, func(x imageLayer) bool { return x.name == y.name }) {
			continue
		}
		if first {
			p.differ(report.DepthLayer, y.name, "", "", y.digest.String())
		}
		first = false
		p.cause(report.CauseBase, "only %s has the layer %s", p.b.Name, y.name)
	}
	return nil
}

// compressed says why the same content has two different blobs.
func (p *pair) compressed(x, y imageLayer) error {
	if x.media != y.media {
		p.cause(report.CauseCompressor, "layer %s contains the same files, as %s / %s",
			x.name, x.media, y.media)
		return nil
	}
	a, err := head(x)
	if err != nil {
		return err
	}
	b, err := head(y)
	if err != nil {
		return err
	}
	if gzipped(a) && gzipped(b) && !bytes.Equal(a, b) {
		p.cause(report.CauseCompressor,
			"layer %s contains the same files, but its gzip header differs: %s / %s", x.name,
			gzipHeader(a), gzipHeader(b))
		return nil
	}
	sizeX, err := x.Size()
	if err != nil {
		return err
	}
	sizeY, err := y.Size()
	if err != nil {
		return err
	}
	p.cause(report.CauseCompressor,
		"layer %s contains the same files, compressed by another library or at another level: %d / %d bytes",
		x.name, sizeX, sizeY)
	return nil
}

// head returns the beginning of a compressed layer, as long as gzip's fixed header (RFC 1952,
// 2.3).
func head(l imageLayer) ([]byte, error) {
	r, err := l.Compressed()
	if err != nil {
		return nil, fmt.Errorf("read layer %s: %w", l.name, err)
	}
	defer r.Close() // only read
	b := make([]byte, 10)
	n, err := io.ReadFull(r, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read layer %s: %w", l.name, err)
	}
	return b[:n], nil
}

func gzipped(b []byte) bool { return len(b) == 10 && b[0] == 0x1f && b[1] == 0x8b }

func gzipHeader(b []byte) string {
	when := uint32(b[4]) | uint32(b[5])<<8 | uint32(b[6])<<16 | uint32(b[7])<<24
	return fmt.Sprintf("flags %d, time %d, extra flags %d, system %d", b[3], when, b[8], b[9])
}
