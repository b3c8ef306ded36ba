package goreleaser

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/init/yamltree"
	"github.com/thimble-build/thimble/build/plan"
)

// docker reads an element of dockers or dockers_v2.
func (f *File) docker(d yamltree.Entry) {
	get := func(key string) string { return yamltree.Scalar(yamltree.Get(d.Value, key)) }
	file := get("dockerfile")
	if file == "" {
		file = "Dockerfile"
	}
	programs := f.programs(yamltree.Values(yamltree.Get(d.Value, "ids")))
	image := Image{Place: f.at(d.Line), Dockerfile: path.Clean(file)}
	if len(programs) > 0 {
		image.Module, image.Package = programs[0].Module, programs[0].Package
	}
	f.Dockerfiles = append(f.Dockerfiles, image)
	for _, e := range yamltree.Entries(d.Value) {
		switch e.Key {
		case "ids", "id":
			f.add(e.Line, show(e), finding.NotNeeded, "the Dockerfile says which program it copies")
		case "goos", "goarch", "goarm", "goamd64", "use", "skip_push", "skip_build", "disable", "sbom",
			"retry", "push_flags":
			f.add(e.Line, show(e), finding.NotNeeded,
				"every image is made for all Platforms, without an engine")
		case "platforms":
			f.dockerPlatforms(programs, e)
		case "dockerfile":
			f.add(e.Line, show(e), finding.NotNeeded, "init reads the Dockerfile")
		case "image_templates", "images":
			f.imageNames(e)
		case "tags":
			f.tags(e)
		case "labels", "annotations":
			for _, l := range yamltree.Entries(e.Value) {
				f.label(programs, l.Line, l.Key, yamltree.Scalar(l.Value))
			}
		case "build_flag_templates", "flags", "build_args":
			f.buildFlags(programs, e)
		case "extra_files":
			for _, t := range yamltree.Texts(e.Value) {
				f.add(t.Line, "extra_files: "+t.Value, finding.NotNeeded,
					"the Dockerfile copies it, and init reads that")
			}
		case "hooks", "templated_dockerfile", "templated_extra_files":
			f.byHand(e.Line, show(e), "thimble has no such setting", "", "")
		default:
			f.byHand(e.Line, show(e), "thimble has no such setting", "", "")
		}
	}
}

// programs returns the programs of some builds; of all without ids.
func (f *File) programs(ids []string) []*finding.Program {
	var all []*finding.Program
	for i := range f.Source.Programs {
		wanted := len(ids) == 0
		for _, id := range ids {
			for _, index := range f.builds[id] {
				wanted = wanted || index == i
			}
		}
		if wanted {
			all = append(all, &f.Source.Programs[i])
		}
	}
	return all
}

func (f *File) dockerPlatforms(programs []*finding.Program, e yamltree.Entry) {
	for _, t := range yamltree.Texts(e.Value) {
		if _, err := plan.ParsePlatform(t.Value); err != nil {
			f.byHand(t.Line, t.Value, "thimble does not know the platform", "Platforms", "")
			continue
		}
		for _, p := range programs {
			f.platform(p, t.Value, f.at(t.Line))
		}
		f.add(t.Line, "platforms: "+t.Value, finding.Imported, "Platforms")
	}
}

// imageNames reads names of images, with or without tags. Where images are pushed to is the
// user's choice, so that each registry is named once, by hand.
func (f *File) imageNames(e yamltree.Entry) {
	for _, t := range yamltree.Texts(e.Value) {
		name, tag := t.Value, ""
		if slash := strings.LastIndex(name, "/"); strings.Contains(name[slash+1:], ":") {
			colon := slash + 1 + strings.Index(name[slash+1:], ":")
			name, tag = name[:colon], name[colon+1:]
		}
		prefix, ok := cutName(stamp.Show(f.translated(name)))
		if !ok {
			prefix = "docker.io/library"
		} else if !strings.Contains(strings.SplitN(prefix, "/", 2)[0], ".") {
			prefix = "docker.io/" + prefix
		}
		if !f.registries[prefix] {
			f.registries[prefix] = true
			f.byHand(t.Line, t.Value, "you decide where images are pushed to", "Repository",
				`Repository: "`+prefix+`",`)
			continue
		}
		f.tag(t.Line, t.Value, tag)
	}
}

// cutName returns the name of an image without its last element.
func cutName(name string) (prefix string, ok bool) {
	if i := strings.LastIndex(name, "/"); i >= 0 {
		return name[:i], true
	}
	return "", false
}

func (f *File) tags(e yamltree.Entry) {
	for _, t := range yamltree.Texts(e.Value) {
		f.tag(t.Line, "tags: "+t.Value, t.Value)
	}
}

var (
	architecture = regexp.MustCompile(
		`-(\{\{.*\}\}|amd64|x86_64|x64|arm64|aarch64|arm|armhf|arm(v|32v)?[567]|arm64v8|i?386|x86|` +
			`mips\w*|ppc64(le)?|s390x|riscv64|loong64)$`)
	spaces = regexp.MustCompile(`\s+`)
)

// tag reads a tag of an image.
func (f *File) tag(line int, text, tag string) {
	plain := spaces.ReplaceAllString(architecture.ReplaceAllString(tag, ""), "")
	translated := f.translated(plain)
	switch {
	case plain == "", translated == "{{.Tag}}", translated == "{{.Version}}", translated == "v{{.Version}}":
		f.add(line, text, finding.NotNeeded, "a release sets the version's tag, on an index of all platforms")
	case f.moving[plain]:
		f.add(line, text, finding.NotNeeded, "an image is one index of all platforms")
	default:
		f.moving[plain] = true
		moving := strings.NewReplacer("{{.Major}}", "1", "{{.Minor}}", "2").Replace(plain)
		f.byHand(line, text, "a release can move further tags", "Release",
			`Release: build.ReleaseConfig{MovingTags: []string{"`+moving+`"}},`)
	}
}

// buildFlags reads flags of docker build.
func (f *File) buildFlags(programs []*finding.Program, e yamltree.Entry) {
	for _, arg := range yamltree.Entries(e.Value) {
		if arg.Key != "" {
			f.add(arg.Line, arg.Key+": "+yamltree.Scalar(arg.Value), finding.NotNeeded,
				"thimble runs no docker build")
			continue
		}
		text := yamltree.Scalar(arg.Value)
		if label, ok := strings.CutPrefix(text, "--label="); ok {
			name, value, _ := strings.Cut(strings.Trim(label, `"`), "=")
			f.label(programs, arg.Line, name, value)
			continue
		}
		f.add(arg.Line, text, finding.NotNeeded, "thimble runs no docker build")
	}
}

// own are the labels that thimble sets itself.
var own = []string{"title", "source", "revision", "version", "created", "licenses", "url"}

func (f *File) label(programs []*finding.Program, line int, name, value string) {
	text := "label " + name + "=" + value
	value = f.translated(value)
	for _, o := range own {
		if name == "org.opencontainers.image."+o && (o != "url" || !stamp.Known(value)) {
			f.add(line, text, finding.NotNeeded, "thimble sets the label")
			return
		}
	}
	if !stamp.Known(value) || strings.Contains(value, "{{") {
		f.byHand(line, text,
			"a label has a fixed text; version, revision and date are in labels that thimble sets",
			"Runtime.Labels", "")
		return
	}
	for _, p := range programs {
		if !slices.ContainsFunc(p.Runtime.Labels,
			func(l finding.Value[string]) bool { return strings.HasPrefix(l.Value, name+"=") }) {
			p.Runtime.Labels = append(p.Runtime.Labels, finding.Found(name+"="+value, f.at(line)))
		}
	}
	f.add(line, text, finding.Imported, "Runtime.Labels")
}

// ko reads an element of kos.
func (f *File) ko(k yamltree.Entry) {
	var ids []string
	if id := yamltree.Scalar(yamltree.Get(k.Value, "build")); id != "" {
		ids = []string{id}
	}
	programs := f.programs(ids)
	for _, e := range yamltree.Entries(k.Value) {
		switch e.Key {
		case "id", "build", "bare", "preserve_import_paths", "base_import_paths", "sbom", "sbom_directory",
			"disable", "working_dir", "main",
			"creation_time", "ko_data_creation_time", "local_domain":
			f.add(e.Line, show(e), finding.NotNeeded,
				"an image is Repository/<name>, with SBOMs and the commit's date")
		case "repository", "repositories":
			f.imageNames(e)
		case "tags":
			f.tags(e)
		case "platforms":
			f.dockerPlatforms(programs, e)
		case "labels", "annotations":
			for _, l := range yamltree.Entries(e.Value) {
				f.label(programs, l.Line, l.Key, yamltree.Scalar(l.Value))
			}
		case "base_image":
			f.base(programs, e)
		case "user":
			for _, p := range programs {
				p.Runtime.User = finding.Found(yamltree.Scalar(e.Value), f.at(e.Line))
			}
			f.add(e.Line, show(e), finding.Imported, "Runtime.User")
		case "env", "flags", "ldflags":
			f.byHand(e.Line, show(e), "the build has the same key", "", "")
		default:
			f.byHand(e.Line, show(e), "thimble has no such setting", "", "")
		}
	}
}

// base reads the base image of a ko build.
func (f *File) base(programs []*finding.Program, e yamltree.Entry) {
	image := yamltree.Scalar(e.Value)
	switch {
	case strings.Contains(image, "distroless/static"), strings.Contains(image, "chainguard/static"):
		f.add(e.Line, show(e), finding.NotNeeded, "the image has the files that the binary needs")
	case strings.Contains(image, "distroless/base"), strings.Contains(image, "distroless/cc"):
		base := "distroless/base"
		if strings.Contains(image, "distroless/cc") {
			base = "distroless/cc"
		}
		for _, p := range programs {
			p.Runtime.Base = finding.Found(base, f.at(e.Line))
		}
		f.add(e.Line, show(e), finding.Imported, "Base")
	default:
		f.byHand(e.Line, show(e), "a static binary needs no base; take it if the program calls others in it",
			"Base", `Base: "`+image+`", // then run mage lock`)
	}
}
