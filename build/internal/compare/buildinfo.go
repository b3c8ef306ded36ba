package compare

import (
	"debug/buildinfo"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/report"
)

// buildInfo records the first difference in the build info of two executables, and the causes of
// all differences. It says whether there is any.
func (p *pair) buildInfo(a, b io.ReaderAt) (bool, error) {
	x, errX := buildinfo.Read(&bounded{a, maxInfo})
	y, errY := buildinfo.Read(&bounded{b, maxInfo})
	if errX != nil || errY != nil {
		if (errX == nil) != (errY == nil) {
			p.differ(report.DepthBuildInfo, "build info", "", answer(errX == nil), answer(errY == nil))
			return true, nil
		}
		return false, nil // neither has build info
	}
	fields := infoDifferences(x, y)
	for i, f := range fields {
		if i == 0 {
			p.differ(report.DepthBuildInfo, f.path, "", short(f.a), short(f.b))
		}
		p.infoCause(f)
	}
	return len(fields) > 0, nil
}

func answer(is bool) string {
	if is {
		return "is there"
	}
	return ""
}

// infoDifferences returns all differences of two build infos, in the order of `go version -m`.
func infoDifferences(a, b *debug.BuildInfo) []field {
	var all []field
	add := func(name, x, y string) {
		if x != y {
			all = append(all, field{name, x, y})
		}
	}
	add("go", a.GoVersion, b.GoVersion)
	add("path", a.Path, b.Path)
	add("mod", moduleLine(&a.Main), moduleLine(&b.Main))
	each(a.Deps, b.Deps, func(m *debug.Module) (string, string) { return "dep " + m.Path, moduleLine(m) },
		add)
	each(a.Settings, b.Settings, func(s debug.BuildSetting) (string, string) { return s.Key, s.Value }, add)
	return all
}

// each pairs the elements of two lists by name.
func each[T any](a, b []T, read func(T) (name, value string), add func(name, x, y string)) {
	other := map[string]string{}
	for _, e := range b {
		name, value := read(e)
		other[name] = value
	}
	seen := map[string]bool{}
	for _, e := range a {
		name, value := read(e)
		seen[name] = true
		add(name, value, other[name])
	}
	for _, e := range b {
		if name, value := read(e); !seen[name] {
			add(name, "", value)
		}
	}
}

func moduleLine(m *debug.Module) string {
	line := strings.TrimSpace(m.Path + " " + m.Version + " " + m.Sum)
	if m.Replace != nil {
		line += " => " + moduleLine(m.Replace)
	}
	return line
}

// infoCause records the cause of a difference of two build infos.
func (c *comparison) infoCause(f field) {
	kind := report.CauseFlag
	switch {
	case f.path == "go":
		kind = report.CauseToolchain
	case f.path == "path":
		kind = report.CauseConfig
	case f.path == "mod", strings.HasPrefix(f.path, "vcs"):
		kind = report.CauseVCS
	case strings.HasPrefix(f.path, "dep "):
		kind = report.CauseModule
	case f.path == "GOEXPERIMENT", f.path == "GOFIPS140", f.path == "DefaultGODEBUG":
		kind = report.CauseToolchain
	}
	if slices.ContainsFunc(c.found, func(known Cause) bool { return known.Kind == kind }) &&
		kind != report.CauseModule {
		return // the plans have shown it
	}
	c.cause(kind, "the build info's %s is %s / %s", f.path, orNone(short(f.a)), orNone(short(f.b)))
}
