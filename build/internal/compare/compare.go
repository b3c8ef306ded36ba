// Package compare says how two builds differ, and why. It takes two builds, each a
// plan, digests and, where they are at hand, the images and documents themselves, and
// gives a [Report]: the first difference at every depth (the index, a manifest, a
// configuration, a layer, a file in it, a section of an executable, its build info, a
// document), and the causes that these come to.
//
// It reads what it is given, fetches nothing, prints nothing, and writes only
// temporary files into a folder of its caller's, which are gone when it returns.
package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Build is one of the two builds.
type Build struct {
	// Name is what a reader knows it by, such as a file or a reference.
	Name string
	// Plan is the plan's JSON; nil where it is not known.
	Plan   json.RawMessage
	Images []Image
	// Files are those that went into the build and that no commit has, by their path
	// below the repository's root: generated code. Nil where that is not known.
	Files map[string][]byte
}

// Image is an image for all its platforms.
type Image struct {
	Name string
	// Digest of the index; of the manifest, where the image is not in an index; empty
	// where only binaries were made.
	Digest string
	// Index is the index as it is stored; nil where it is not at hand.
	Index     []byte
	Platforms []Platform
}

// Platform is an image for one platform.
type Platform struct {
	Platform string
	Digest   string
	// Layers are those that a manifest.json lists, for where Image is not at hand.
	Layers []Layer
	// Binary is the executable's SHA-256 in hex, and BinaryFile a file that holds it;
	// each may be empty.
	Binary, BinaryFile string
	// Image is nil where it is not at hand.
	Image v1.Image
	// Documents are the SBOMs and their like, by their kind.
	Documents map[string][]byte
}

// Layer is a compressed layer.
type Layer struct{ Name, Digest string }

// Depth is how deep a difference was found.
type Depth string

// The depths, from the outside to the inside.
const (
	DepthPlan      Depth = "plan"
	DepthSource    Depth = "source"
	DepthIndex     Depth = "index"
	DepthManifest  Depth = "manifest"
	DepthConfig    Depth = "config"
	DepthLayer     Depth = "layer"
	DepthFile      Depth = "file"
	DepthSection   Depth = "section"
	DepthBuildInfo Depth = "build info"
	DepthDocument  Depth = "document"
)

// Difference is something that the two builds do not share.
type Difference struct {
	Depth    Depth  `json:"depth"`
	Image    string `json:"image,omitempty"`
	Platform string `json:"platform,omitempty"`
	// Where is a JSON pointer (RFC 6901, but that elements of lists go by their names),
	// or the name of a layer, a file, a section or a setting; What is what of it differs.
	Where string `json:"where"`
	What  string `json:"what,omitempty"`
	// A and B are the two values, shortened for a reader; "-" where there is none.
	A string `json:"a"`
	B string `json:"b"`
}

// Report is what a comparison came to.
type Report struct {
	// A and B are the builds' names.
	A string `json:"a"`
	B string `json:"b"`
	// Same says that every digest and every document that both have is equal, and that
	// neither has an image more; Compared are the digests that both have.
	Same     bool     `json:"same"`
	Compared []Digest `json:"compared"`
	// Differences are the first at each depth of each image and platform. A plan's
	// are all there; those that change no digest do not count for Same.
	Differences []Difference `json:"differences,omitempty"`
	// Causes are what the differences come from, the most likely first.
	Causes []Cause `json:"causes,omitempty"`
	// Notes say what could not be compared.
	Notes []string `json:"notes,omitempty"`
}

// Digest is that of an index, or of the image for one platform, in both builds.
type Digest struct {
	Image    string `json:"image"`
	Platform string `json:"platform,omitempty"`
	A        string `json:"a"`
	B        string `json:"b"`
}

// Compare compares two builds image by image and platform by platform. tmp is a folder
// for temporary files. The error is one of reading what was given.
func Compare(ctx context.Context, a, b Build, tmp string) (*Report, error) {
	c := &comparison{a: a, b: b, tmp: tmp, report: &Report{A: a.Name, B: b.Name, Same: true, Compared: []Digest{}}}
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

type comparison struct {
	a, b   Build
	tmp    string
	report *Report
	// found are causes in the order in which they were found.
	found []Cause
	// ofDocuments are causes of differences in documents alone.
	ofDocuments []Cause
}

// only notes that one build has an image, or a platform, that the other lacks.
func (c *comparison) only(what, has, lacks string) {
	c.report.Same = false
	c.note("%s is in %s and not in %s", what, has, lacks)
	c.cause(CausePlatforms, "%s was made for %s alone", what, has)
}

func (c *comparison) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if !slices.Contains(c.report.Notes, n) {
		c.report.Notes = append(c.report.Notes, n)
	}
}

// differ notes a difference that counts.
func (c *comparison) differ(d Difference) {
	c.report.Same = false
	d.A, d.B = orNone(d.A), orNone(d.B)
	c.report.Differences = append(c.report.Differences, d)
}

func (c *comparison) image(ctx context.Context, x, y Image) error {
	if x.Digest != "" && y.Digest != "" {
		c.report.Compared = append(c.report.Compared, Digest{x.Name, "", x.Digest, y.Digest})
	}
	if x.Digest != y.Digest && x.Digest != "" && y.Digest != "" {
		c.report.Same = false
		if x.Index != nil && y.Index != nil {
			if err := c.documents(DepthIndex, x.Name, "", "", x.Index, y.Index); err != nil {
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
		c.report.Compared = append(c.report.Compared, Digest{image, p.Platform, p.Digest, q.Digest})
		c.report.Same = c.report.Same && p.Digest == q.Digest
	}
	switch {
	case digests && p.Digest == q.Digest, !digests && p.Binary == q.Binary:
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
		if err := c.documents(DepthDocument, image, p.Platform, kind, p.Documents[kind], y); err != nil {
			return fmt.Errorf("read the document %s: %w", kind, err)
		}
	}
	return nil
}

// documents notes the first field in which two JSON documents differ.
func (c *comparison) documents(depth Depth, image, platform, kind string, a, b []byte) error {
	fields, err := jsonDifferences(a, b, 8)
	if err != nil {
		return err
	}
	// The name that a document has by its content says nothing, where more differs.
	more := slices.DeleteFunc(slices.Clone(fields), func(f field) bool { return f.path == "/documentNamespace" || f.path == "/serialNumber" })
	if len(more) > 0 {
		fields = more
	}
	d := Difference{Depth: depth, Image: image, Platform: platform, What: kind}
	if len(fields) > 0 {
		d.Where, d.A, d.B = fields[0].path, fields[0].a, fields[0].b
	} else { // equal values in other bytes
		d.Where, d.What = "/", "its bytes"
		d.A, d.B = fmt.Sprintf("%d bytes", len(a)), fmt.Sprintf("%d bytes", len(b))
	}
	c.differ(d)
	return nil
}

// pair is an image for one platform, in both builds.
type pair struct {
	*comparison
	image, platform string
}

func (p *pair) differ(depth Depth, where, what, a, b string) {
	p.comparison.differ(Difference{Depth: depth, Image: p.image, Platform: p.platform, Where: where, What: what, A: a, B: b})
}

// listed compares what two manifest.json files say, with the binaries where they are
// at hand.
func (p *pair) listed(ctx context.Context, x, y Platform) error {
	if x.Digest != "" && y.Digest != "" {
		p.note("the layouts of both builds are not at hand, so that the layers and the files in them were not compared")
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
			p.differ(DepthLayer, name, "digest", a, b)
			break
		}
	}
	if x.Binary == y.Binary || x.Binary == "" || y.Binary == "" {
		return nil
	}
	p.differ(DepthFile, "the binary", "sha256", x.Binary, y.Binary)
	if x.BinaryFile == "" || y.BinaryFile == "" {
		return nil
	}
	return p.binaryFiles(ctx, x.BinaryFile, y.BinaryFile)
}

// none stands for a value that is not there.
const none = "-"

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}
