package compare

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// CauseKind is what a difference comes from.
type CauseKind string

// The causes, those first that others follow from.
const (
	CauseKit        CauseKind = "kit"        // another thimble
	CauseToolchain  CauseKind = "toolchain"  // another Go, or a setting of it
	CauseFlag       CauseKind = "flag"       // of the compiler or the linker, or a build tag
	CauseVCS        CauseKind = "VCS state"  // commit, tag, a file that no commit has
	CauseModule     CauseKind = "module"     // a dependency
	CauseTime       CauseKind = "time"       // something wrote the time of day
	CauseSource     CauseKind = "source"     // another source, such as generated code
	CauseBase       CauseKind = "base"       // what the image stands on
	CauseMode       CauseKind = "mode"       // modes and owners of files
	CauseConfig     CauseKind = "config"     // what Config asks of the image
	CausePlatforms  CauseKind = "platforms"  // made for other platforms
	CauseEpoch      CauseKind = "epoch"      // SOURCE_DATE_EPOCH
	CauseCompressor CauseKind = "compressor" // how layers are compressed
)

var kinds = []CauseKind{
	CauseKit, CauseToolchain, CauseFlag, CauseVCS, CauseModule, CauseTime, CauseSource, CauseBase,
	CauseMode, CauseConfig, CausePlatforms, CauseEpoch, CauseCompressor,
}

// Cause is a cause of differences, and what shows it.
type Cause struct {
	Kind   CauseKind `json:"kind"`
	Detail string    `json:"detail"`
}

func (c *comparison) cause(kind CauseKind, format string, args ...any) {
	found := Cause{kind, fmt.Sprintf(format, args...)}
	if !slices.Contains(c.found, found) {
		c.found = append(c.found, found)
	}
}

// causes are those found, in their order, without what only follows from another: where
// the plans, or the build infos, tell why code differs, the code says nothing of its
// own, and where a generated file is at hand, its hash does not.
func (c *comparison) causes() []Cause {
	if c.report.Same {
		return nil
	}
	explained := slices.ContainsFunc(c.found, func(f Cause) bool {
		return slices.Contains([]CauseKind{CauseKit, CauseToolchain, CauseFlag, CauseVCS, CauseModule}, f.Kind)
	})
	generated := slices.ContainsFunc(c.report.Differences, func(d Difference) bool { return d.Depth == DepthSource })
	var out []Cause
	for _, f := range c.found {
		code := f.Kind == CauseTime && strings.HasPrefix(f.Detail, "a time was compiled into") ||
			f.Kind == CauseSource && strings.HasPrefix(f.Detail, "the build info of both")
		sums := generated && strings.HasPrefix(f.Detail, generatedSums) // the files at hand tell more
		if sums || code && (explained || generated) {
			continue
		}
		out = append(out, f)
	}
	if slices.ContainsFunc(c.report.Differences, func(d Difference) bool { return d.Depth == DepthDocument }) {
		out = append(out, c.ofDocuments...)
	}
	slices.SortStableFunc(out, func(a, b Cause) int {
		return cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind))
	})
	if len(out) == 0 {
		out = []Cause{{CauseSource, "nothing that was compared tells it; compare again with both layouts at hand"}}
	}
	return out
}

// infoCause is what a difference of two build infos comes from.
func (c *comparison) infoCause(f field) {
	kind := CauseFlag
	switch {
	case f.path == "go":
		kind = CauseToolchain
	case f.path == "path":
		kind = CauseConfig
	case f.path == "mod", strings.HasPrefix(f.path, "vcs"):
		kind = CauseVCS
	case strings.HasPrefix(f.path, "dep "):
		kind = CauseModule
	case f.path == "GOEXPERIMENT", f.path == "GOFIPS140", f.path == "DefaultGODEBUG":
		kind = CauseToolchain
	}
	if slices.ContainsFunc(c.found, func(known Cause) bool { return known.Kind == kind }) && kind != CauseModule {
		return // the plans have told it
	}
	c.cause(kind, "the build info's %s is %s / %s", f.path, orNone(short(f.a)), orNone(short(f.b)))
}

// settings are what the differences of two image configurations come from, where the
// plans are not known.
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
			c.cause(CauseEpoch, "the image's time is %s / %s", f.a, f.b)
		case isLabel && (strings.HasSuffix(label, ".revision") || strings.HasSuffix(label, ".version") || strings.HasSuffix(label, "-version") || strings.HasSuffix(label, ".dirty")):
			c.cause(CauseVCS, "the label %s is %s / %s", strings.ReplaceAll(label, "~1", "/"), f.a, f.b)
		default:
			c.cause(CauseConfig, "%s of the configuration is %s / %s", f.path, f.a, f.b)
		}
	}
	return nil
}

// clock is how programs write the time of day: dates, with or without a time, and
// seconds since 1970 from 2017 to 2033.
var clock = regexp.MustCompile(`(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T _]?[0-2]\d:?[0-5]\d(?::?[0-5]\d(?:\.\d+)?)?)?|` +
	`(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:\d{1,2} )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ 0-9:]{2,20}|` +
	`(?:20\d\d)[01]\d[0-3]\d[T_-]?[0-2]\d[0-5]\d[0-5]\d|\b1[5-9]\d{8}(?:\d{3}|\d{9})?\b`)

// times are the first times in two texts that are not the same.
func times(a, b string) (string, bool) {
	x, y := clock.FindAllString(a, -1), clock.FindAllString(b, -1)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + " / " + y[i], true
		}
	}
	return "", false
}

// sources notes the first file that went into the builds and that no commit has, and
// that is not the same in both.
func (c *comparison) sources() {
	if c.a.Files == nil || c.b.Files == nil || c.report.Same {
		return
	}
	names := slices.Collect(maps.Keys(c.a.Files))
	for name := range c.b.Files {
		if _, ok := c.a.Files[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		x, inA := c.a.Files[name]
		y, inB := c.b.Files[name]
		if inA && inB && string(x) == string(y) {
			continue
		}
		d := Difference{Depth: DepthSource, Where: name}
		if !inA || !inB {
			has := c.a.Name
			if d.A = fmt.Sprintf("%d bytes", len(x)); !inA {
				has, d.A, d.B = c.b.Name, "", fmt.Sprintf("%d bytes", len(y))
			}
			c.cause(CauseSource, "%s, which the commit does not have, is in %s alone", name, has)
			c.differ(d)
			return
		}
		l, err := firstLine(strings.NewReader(string(x)), strings.NewReader(string(y)))
		if err != nil {
			continue // equal after all
		}
		d.What, d.A, d.B = l.where(), l.a, l.b
		c.differ(d)
		c.generated(name, string(x), string(y), l)
		return
	}
}

// generated is the cause of a file that is not the same in both builds.
func (c *comparison) generated(name, x, y string, l line) {
	if when, ok := times(l.a, l.b); ok {
		c.cause(CauseTime, "%s, which the commit does not have, holds a time: %s", name, when)
		return
	}
	sorted := func(s string) []string { return slices.Sorted(strings.Lines(s + "\n")) }
	if slices.Equal(sorted(x), sorted(y)) {
		c.cause(CauseSource, "%s, which the commit does not have, has the same lines in another order, as a map's are", name)
		return
	}
	c.cause(CauseSource, "%s, which the commit does not have, has another %s", name, l.where())
}
