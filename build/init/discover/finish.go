package discover

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/versions"
)

// Finish completes merged programs: names that differ, the flags for version variables, and the
// tags that matter with cgo.
func Finish(t *mains.Tree, programs []finding.Program) []finding.Program {
	all := slices.Clone(programs)
	for i := range all {
		all[i].Build.LDFlags = slices.Concat(all[i].Build.LDFlags, versions.Flags(t, all[i]))
		if all[i].Build.Cgo.Value {
			all[i].Build.Tags = slices.Concat(all[i].Build.Tags, all[i].Build.TagsWithCgo)
		}
	}
	names(t, all)
	return all
}

var invalid = regexp.MustCompile(`[^a-z0-9]+`)

// names gives each image another name. Images whose names are equal are named by their folder.
func names(t *mains.Tree, programs []finding.Program) {
	name := func(p finding.Program) string {
		if p.Name.Set() {
			return strings.ToLower(p.Name.Value)
		}
		m, _ := t.At(path.Join(p.Module, p.Package))
		return m.Name
	}
	count := map[string]int{}
	for _, p := range programs {
		count[name(p)]++
	}
	taken := map[string]bool{}
	for n, times := range count {
		taken[n] = times == 1
	}
	for i, p := range programs {
		if count[name(p)] < 2 {
			continue
		}
		dir := path.Join(".", p.Module, p.Package)
		var elements []string
		for _, e := range strings.Split(dir, "/") {
			if e != "cmd" && e != "." && e != "app" && e != "apps" && e != "services" {
				elements = append(elements, strings.Trim(invalid.ReplaceAllString(strings.ToLower(e), "-"),
					"-"))
			}
		}
		unique := strings.Join(elements, "-")
		if unique == "" {
			unique = name(p)
		}
		if taken[unique] {
			unique = strings.Trim(invalid.ReplaceAllString(strings.ToLower(dir), "-"), "-")
		}
		taken[unique] = true
		programs[i].Name = finding.Found(unique, cmp.Or(p.Name.From, finding.Place{File: dir}))
	}
}

// Settle returns the lines with the outcome that they have after the merge. A line whose setting
// another file decides, or that is about no image, is not needed.
func Settle(lines []finding.Line, programs []finding.Program) []finding.Line {
	used := map[string]map[finding.Place]bool{"Images": {}}
	from := map[string]finding.Program{} // by folder
	for _, p := range programs {
		from[path.Join(".", p.Module, p.Package)] = p
		for setting, at := range places(p) {
			if used[setting] == nil {
				used[setting] = map[finding.Place]bool{}
			}
			for _, place := range at {
				used[setting][place] = true
				used["Images"][place] = true
			}
		}
	}
	for _, p := range programs { // each is in the image of its first program
		for _, f := range p.Programs {
			if folder := path.Join(".", p.Module, f.Value); from[folder].Package == "" {
				from[folder] = p
			}
		}
	}
	all := slices.Clone(lines)
	for i, l := range all {
		folder := path.Join(".", l.Module, l.Package)
		p, shipped := from[folder]
		setting, known := used[l.Reason]
		switch {
		case l.Outcome == finding.NotNeeded:
		case l.Package != "" && !shipped:
			all[i] = notNeeded(l, "no image is made of "+folder)
		case l.Outcome == finding.ByHand:
			if at, other := elsewhere(l, p); other {
				all[i] = notNeeded(l, "another line decides it: "+at.String())
			}
		case l.Reason == "BuildTags" && !p.Build.Cgo.Value && onlyWithCgo(l, p):
			all[i] = notNeeded(l, "its tags change nothing in a program without cgo")
		case !known && !slices.Contains(checked, l.Reason), setting[l.Place],
			setting[finding.Place{File: l.File}]:
		case l.Package == "":
			all[i] = notNeeded(l, "another line decides it")
		default:
			all[i] = notNeeded(l, "another line decides it: "+p.From.String())
		}
	}
	return all
}

// onlyWithCgo reports whether a line is about a tag that changes nothing in a program without cgo,
// or has no other tags.
func onlyWithCgo(l finding.Line, p finding.Program) bool {
	if tag, ok := strings.CutPrefix(l.Text, "-tags "); ok {
		return slices.Contains(finding.WithCgo, tag)
	}
	here := func(v finding.Value[string]) bool { return v.From == l.Place }
	return slices.ContainsFunc(p.Build.TagsWithCgo, here) && !slices.ContainsFunc(p.Build.Tags, here)
}

func notNeeded(l finding.Line, reason string) finding.Line {
	l.Outcome, l.Reason, l.Write, l.Setting = finding.NotNeeded, reason, "", ""
	return l
}

// elsewhere returns the place that decides a list of flags instead of a line that init does not
// understand: the file that the program is from decides it, and the line is in another one.
func elsewhere(l finding.Line, p finding.Program) (at finding.Place, ok bool) {
	values := map[string][]finding.Value[string]{
		"LDFlags": p.Build.LDFlags, "BuildTags": p.Build.Tags}[l.Setting]
	i := slices.IndexFunc(values,
		func(v finding.Value[string]) bool { return v.From.File == p.From.File && v.From.File != l.File })
	if i < 0 {
		return finding.Place{}, false
	}
	return values[i].From, true
}

// checked are the reasons of imported lines that Settle checks.
var checked = []string{"Images", "Name", "LDFlags", "BuildTags", "Cgo", "FIPS140", "Platforms", "Base",
	"Runtime.User", "Runtime.Labels", "Capabilities"}

// places returns the places of the settings of a program. Platforms are the product of several
// lines of one file.
func places(p finding.Program) map[string][]finding.Place {
	list := func(values []finding.Value[string]) (all []finding.Place) {
		for _, v := range values {
			all = append(all, v.From)
		}
		return all
	}
	var platforms []finding.Place
	for _, at := range list(p.Build.Platforms) {
		platforms = append(platforms, finding.Place{File: at.File})
	}
	return map[string][]finding.Place{
		"Images": {p.From}, "Name": {p.Name.From}, "LDFlags": list(p.Build.LDFlags),
		"BuildTags": list(p.Build.Tags), "Cgo": {p.Build.Cgo.From},
		"FIPS140": {p.Build.FIPS140.From}, "Platforms": platforms, "Base": {p.Runtime.Base.From},
		"Runtime.User":   {p.Runtime.User.From},
		"Runtime.Labels": list(p.Runtime.Labels), "Capabilities": list(p.Runtime.Capabilities),
	}
}
