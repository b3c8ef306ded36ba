package goreleaser

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/gobuild"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/init/yamltree"
	"github.com/thimble-build/thimble/build/internal/ldflags"
	"github.com/thimble-build/thimble/build/plan"
)

// target are the platforms of a build.
type target struct{ os, arch, arm []yamltree.Text }

// build reads an element of builds. An entry without a value is GoReleaser's default build.
func (r *reader) build(b yamltree.Entry, file []yamltree.Entry) {
	keys := map[string]yamltree.Entry{}
	for _, e := range yamltree.Entries(b.Value) {
		keys[e.Key] = e
	}
	value := func(key string) string { return yamltree.Scalar(keys[key].Value) }
	if builder := value("builder"); builder != "" && builder != "go" {
		r.byHand(b.Line, "builder: "+builder, "thimble makes Go programs", "", "")
		return
	}
	if value("skip") == "true" {
		r.add(b.Line, "skip: true", finding.NotNeeded, "the build is off")
		return
	}
	main := value("main")
	if main == "" {
		main = "."
	}
	if !strings.HasPrefix(main, ".") && !strings.HasSuffix(main, ".go") {
		main = "./" + main
	}
	dir := path.Join(".", value("dir"))
	found := r.tree.Resolve(dir, []string{main})
	if _, err := os.Stat(filepath.Join(r.tree.Root, filepath.FromSlash(dir))); len(found) == 0 && err != nil {
		found = named(value("binary"), r.tree) // a hook makes the folder, of the program with this name
	}
	if len(found) == 0 {
		reason := "there is no main package"
		if dir != "." {
			reason = "there is no main package in " + path.Join(dir, main) + "; a hook may make it"
		}
		r.byHand(b.Line, "main: "+path.Join(dir, main), reason, "Images", "")
		r.orphan(keys)
		return
	}
	p := finding.Program{Module: found[0].Module, Package: found[0].Package, From: r.at(b.Line)}
	if binary, ok := keys["binary"]; ok {
		name := r.translated(yamltree.Scalar(binary.Value))
		if stamp.Known(name) && !strings.Contains(name, "{{") && !strings.Contains(name, "/") {
			p.Name = finding.Found(name, r.at(binary.Line))
			r.add(binary.Line, show(binary), finding.Imported, "Name")
		} else {
			r.add(binary.Line, show(binary), finding.NotNeeded, "the program has the name of its folder")
		}
	} else if r.project != "" {
		p.Name = finding.Found(r.project, r.at(b.Line)) // GoReleaser's default
	}
	r.settings(&p, keys)
	id := value("id")
	if id == "" {
		id = r.project
	}
	at := slices.IndexFunc(r.file.Source.Programs, func(o finding.Program) bool {
		return o.Module == p.Module &&
			o.Package == p.Package
	})
	if at >= 0 {
		r.builds[id] = append(r.builds[id], at)
		r.again(&r.file.Source.Programs[at], p, b.Line)
		return
	}
	r.builds[id] = append(r.builds[id], len(r.file.Source.Programs))
	r.file.Source.Programs = append(r.file.Source.Programs, p)
	r.add(b.Line, "build "+path.Join(dir, main), finding.Imported, "Images")
}

// again adds the platforms of another build of the same program, if both are compiled in the same
// way.
func (r *reader) again(first *finding.Program, other finding.Program, line int) {
	text := "another build of " + path.Join(".", other.Module, other.Package)
	same := func(a, b []finding.Value[string]) bool {
		return slices.EqualFunc(a, b, func(a, b finding.Value[string]) bool { return a.Value == b.Value })
	}
	if !same(first.Build.LDFlags, other.Build.LDFlags) || !same(first.Build.Tags, other.Build.Tags) ||
		first.Build.Cgo.Value != other.Build.Cgo.Value {
		r.byHand(line, text, "an image and its archives have the settings of one build, those of "+
			first.From.String(), "", "")
		return
	}
	for _, p := range other.Build.Platforms {
		if !slices.ContainsFunc(first.Build.Platforms,
			func(o finding.Value[string]) bool { return o.Value == p.Value }) {
			first.Build.Platforms = append(first.Build.Platforms, p)
		}
	}
	r.add(line, text, finding.Imported, "Platforms")
}

// named returns the only main package that makes a program with this name.
func named(binary string, t *mains.Tree) []mains.Main {
	var all []mains.Main
	for _, m := range t.Mains {
		if m.Left == "" && m.Name == strings.ToLower(binary) {
			all = append(all, m)
		}
	}
	if len(all) > 1 {
		return nil
	}
	return all
}

// orphan gives a build without a main package its outcome, so that its flags are not lost.
func (r *reader) orphan(keys map[string]yamltree.Entry) {
	for _, key := range []string{"binary", "ldflags", "tags", "env", "flags", "goos", "goarch", "goarm"} {
		if e, ok := keys[key]; ok {
			r.byHand(e.Line, show(e), "init does not know for which program", "Images", "")
		}
	}
}

// settings reads the keys of a build, except those that name the program.
func (r *reader) settings(p *finding.Program, keys map[string]yamltree.Entry) {
	flags := gobuild.NewFlags(p.From)
	var words []gobuild.Word
	var platforms target
	env := map[string]string{}
	for k, v := range r.env {
		env[k] = v
	}
	if e, ok := keys["env"]; ok {
		for _, t := range yamltree.Texts(e.Value) {
			name, value, _ := strings.Cut(t.Value, "=")
			env[name] = value
		}
	}
	if r.cgo > 0 {
		flags.At(r.at(r.cgo))
		flags.Variable("CGO_ENABLED", r.env["CGO_ENABLED"])
	}
	for _, key := range sorted(keys) {
		e := keys[key]
		flags.At(r.at(e.Line))
		switch key {
		case "main", "dir", "binary", "skip", "builder":
		case "id":
			r.add(e.Line, show(e), finding.NotNeeded, "it is a name for GoReleaser")
		case "env":
			for _, t := range yamltree.Texts(e.Value) {
				name, value, _ := strings.Cut(t.Value, "=")
				flags.At(r.at(t.Line))
				flags.Variable(name, stamp.GoReleaser(value, r.project, r.env))
			}
		case "ldflags":
			r.ldflags(flags, e.Value, env)
		case "tags":
			for _, t := range yamltree.Texts(e.Value) {
				flags.At(r.at(t.Line))
				flags.Tags(strings.FieldsFunc(stamp.GoReleaser(t.Value, r.project, env),
					func(r rune) bool { return r == ',' || r == ' ' }))
			}
		case "flags":
			for _, t := range yamltree.Texts(e.Value) {
				split, err := ldflags.Split(stamp.GoReleaser(t.Value, r.project, env))
				if err != nil {
					split = strings.Fields(t.Value)
				}
				for _, w := range split {
					words = append(words, gobuild.Word{Text: w, At: r.at(t.Line)})
				}
			}
		case "gcflags", "asmflags", "buildmode":
			for _, t := range yamltree.Texts(e.Value) {
				flags.At(r.at(t.Line))
				flags.Flag("-" + key + "=" + t.Value)
			}
		case "goos":
			platforms.os = yamltree.Texts(e.Value)
		case "goarch":
			platforms.arch = yamltree.Texts(e.Value)
		case "goarm":
			platforms.arm = yamltree.Texts(e.Value)
		case "targets":
			r.targets(p, e.Value)
		case "mod_timestamp":
			r.add(e.Line, show(e), finding.NotNeeded, "all files have the commit's time")
		case "no_unique_dist_dir", "no_main_check", "tool", "command", "gobinary":
			r.add(e.Line, show(e), finding.NotNeeded, "it changes nothing in the program")
		case "ignore":
			r.add(e.Line, show(e), finding.Imported, "Platforms")
		case "goamd64", "go386", "gomips", "goarm64", "goppc64", "goriscv64":
			r.add(e.Line, show(e), finding.NotNeeded, "programs run on every processor of the architecture")
		case "hooks":
			r.byHand(e.Line, show(e), "a program is released as the compiler made it", "", "")
		case "overrides":
			r.byHand(e.Line, show(e), "all platforms have the same settings", "", "")
		default:
			r.byHand(e.Line, show(e), "thimble has no such setting", "", "")
		}
	}
	flags.Words(words)
	r.platforms(p, platforms, keys["ignore"])
	p.Build.LDFlags, p.Build.Tags, p.Build.Env = flags.Build.LDFlags, flags.Build.Tags, flags.Build.Env
	p.Build.Cgo, p.Build.FIPS140 = flags.Build.Cgo, flags.Build.FIPS140
	r.file.Source.Lines = append(r.file.Source.Lines, flags.Lines...)
}

// sorted returns the keys in the order of the file.
func sorted(keys map[string]yamltree.Entry) []string {
	var all []string
	for key := range keys {
		all = append(all, key)
	}
	slices.SortFunc(all, func(a, b string) int {
		if d := keys[a].Line - keys[b].Line; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return all
}

// ldflags reads linker flags, each line at its place.
func (r *reader) ldflags(flags *gobuild.Flags, n *yaml.Node, env map[string]string) {
	for _, t := range yamltree.Texts(n) {
		for i, text := range strings.Split(t.Value, "\n") {
			flags.At(r.at(t.Line + i))
			words, err := ldflags.Split(stamp.GoReleaser(text, r.project, env))
			if err != nil {
				r.byHand(t.Line+i, text, err.Error(), "LDFlags", "")
				continue
			}
			flags.Linker(words)
		}
	}
}

// platforms adds the platforms that a build lists.
func (r *reader) platforms(p *finding.Program, t target, ignore yamltree.Entry) {
	if len(t.os) == 0 && len(t.arch) == 0 {
		return // GoReleaser's default is not a decision
	}
	text := func(list []yamltree.Text, otherwise ...string) []yamltree.Text {
		if len(list) > 0 {
			return list
		}
		for _, value := range otherwise {
			list = append(list, yamltree.Text{Value: value, Line: p.From.Line})
		}
		return list
	}
	systems := text(t.os, "darwin", "linux", "windows")
	architectures := text(t.arch, "amd64", "arm64")
	for _, system := range systems {
		for _, arch := range architectures {
			variants := []string{""}
			if arch.Value == "arm" {
				variants = nil
				for _, arm := range text(t.arm, "6") {
					variants = append(variants, arm.Value)
				}
			}
			for _, variant := range variants {
				if !known(system.Value, arch.Value) || ignored(ignore, system.Value, arch.Value, variant) {
					continue
				}
				name := system.Value + "/" + arch.Value
				if variant != "" {
					name += "/v" + variant
				}
				r.platform(p, name, r.at(arch.Line))
			}
		}
	}
	for _, list := range [][]yamltree.Text{t.os, t.arch, t.arm} {
		for _, value := range list {
			if !slices.ContainsFunc(r.file.Source.Lines,
				func(l finding.Line) bool { return l.Line == value.Line && l.Text == value.Value }) {
				r.add(value.Line, value.Value, finding.Imported, "Platforms")
			}
		}
	}
}

// pairs are the architectures that Go has for a system; GoReleaser leaves out the others too.
var pairs = map[string][]string{
	"aix": {"ppc64"}, "darwin": {"amd64", "arm64"}, "dragonfly": {"amd64"}, "illumos": {"amd64"},
	"solaris": {"amd64"},
	"freebsd": {"386", "amd64", "arm", "arm64", "riscv64"}, "netbsd": {"386", "amd64", "arm", "arm64"},
	"openbsd": {"386", "amd64", "arm", "arm64", "ppc64", "riscv64"}, "plan9": {"386", "amd64", "arm"},
	"windows": {"386", "amd64", "arm64"},
}

// known reports whether Go has a platform. Those of other systems are for the go command to
// judge.
func known(system, arch string) bool {
	list, ok := pairs[system]
	return !ok || slices.Contains(list, arch)
}

// platform adds one platform, if the go command knows it.
func (r *reader) platform(p *finding.Program, name string, at finding.Place) {
	parsed, err := plan.ParsePlatform(name)
	if err != nil || !stamp.Known(r.translated(name)) {
		r.byHand(at.Line, name, "thimble does not know the platform", "Platforms", "")
		return
	}
	for _, there := range p.Build.Platforms {
		if there.Value == parsed.String() {
			return
		}
	}
	p.Build.Platforms = append(p.Build.Platforms, finding.Found(parsed.String(), at))
}

// ignored reports whether a build leaves out a platform.
func ignored(ignore yamltree.Entry, system, arch, arm string) bool {
	for _, i := range yamltree.Entries(ignore.Value) {
		matches := len(yamltree.Entries(i.Value)) > 0
		for _, e := range yamltree.Entries(i.Value) {
			value := map[string]string{"goos": system, "goarch": arch, "goarm": arm}[e.Key]
			matches = matches && value == yamltree.Scalar(e.Value)
		}
		if matches {
			return true
		}
	}
	return false
}

// targets reads a list such as linux_amd64_v1.
func (r *reader) targets(p *finding.Program, n *yaml.Node) {
	for _, t := range yamltree.Texts(n) {
		parts := strings.Split(t.Value, "_")
		switch {
		case len(parts) == 1 && (t.Value == "go_first_class" || t.Value == "go_118_first_class"):
			r.add(t.Line, t.Value, finding.NotNeeded, "Platforms and ArchivePlatforms list platforms")
			continue
		case len(parts) > 2 && parts[1] == "arm":
			r.platform(p, parts[0]+"/arm/v"+parts[2], r.at(t.Line))
		case len(parts) > 1:
			r.platform(p, parts[0]+"/"+parts[1], r.at(t.Line))
		}
		r.add(t.Line, t.Value, finding.Imported, "Platforms")
	}
}
