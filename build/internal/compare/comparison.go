package compare

import (
	"fmt"
	"slices"

	"github.com/thimble-build/thimble/build/report"
)

// comparison collects the differences of two builds.
type comparison struct {
	a, b   Build
	tmp    string
	report *Report
	// found are causes in the order in which they were found.
	found []Cause
	// ofDocuments are causes of differences that are only in documents.
	ofDocuments []Cause
}

// only records that one build has an image, or a platform, that the other lacks.
func (c *comparison) only(what, has, lacks string) {
	c.report.Same = false
	c.note("%s is in %s but not in %s", what, has, lacks)
	c.cause(report.CausePlatforms, "%s was made only for %s", what, has)
}

func (c *comparison) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if !slices.Contains(c.report.Notes, n) {
		c.report.Notes = append(c.report.Notes, n)
	}
}

// differ records a difference that counts.
func (c *comparison) differ(d Difference) {
	c.report.Same = false
	d.A, d.B = orNone(d.A), orNone(d.B)
	c.report.Differences = append(c.report.Differences, d)
}

func (c *comparison) cause(kind CauseKind, format string, args ...any) {
	found := Cause{Kind: kind, Detail: fmt.Sprintf(format, args...)}
	if !slices.Contains(c.found, found) {
		c.found = append(c.found, found)
	}
}

// documents records the first field in which two JSON documents differ.
func (c *comparison) documents(depth Depth, image, platform, kind string, a, b []byte) error {
	fields, err := jsonDifferences(a, b, 8)
	if err != nil {
		return err
	}
	// A name derived from the document's content is ignored if more differs.
	more := slices.DeleteFunc(slices.Clone(fields),
		func(f field) bool { return f.path == "/documentNamespace" || f.path == "/serialNumber" })
	if len(more) > 0 {
		fields = more
	}
	d := Difference{Depth: depth, Image: image, Platform: platform, What: kind}
	if len(fields) > 0 {
		d.Where, d.A, d.B = fields[0].path, fields[0].a, fields[0].b
	} else { // equal values in different bytes
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
	p.comparison.differ(Difference{Depth: depth, Image: p.image, Platform: p.platform, Where: where,
		What: what, A: a, B: b})
}
