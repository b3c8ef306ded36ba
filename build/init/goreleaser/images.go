package goreleaser

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/init/yamltree"
	"github.com/thimble-build/thimble/build/plan"
)

// docker reads an element of dockers or dockers_v2.
func (r *reader) docker(d yamltree.Entry) {
	get := func(key string) string { return yamltree.Scalar(yamltree.Get(d.Value, key)) }
	file := get("dockerfile")
	if file == "" {
		file = "Dockerfile"
	}
	programs := r.programs(yamltree.Values(yamltree.Get(d.Value, "ids")))
	image := Image{Place: r.at(d.Line), Dockerfile: path.Clean(file)}
	if len(programs) > 0 {
		image.Module, image.Package = programs[0].Module, programs[0].Package
	}
	r.file.Dockerfiles = append(r.file.Dockerfiles, image)
	for _, e := range yamltree.Entries(d.Value) {
		switch e.Key {
		case "ids", "id":
			r.add(e.Line, show(e), finding.NotNeeded, "the Dockerfile says which program it copies")
		case "goos", "goarch", "goarm", "goamd64", "use", "skip_push", "skip_build", "disable", "sbom",
			"retry", "push_flags":
			r.add(e.Line, show(e), finding.NotNeeded,
				"every image is made for all Platforms, without an engine")
		case "platforms":
			r.dockerPlatforms(programs, e)
		case "dockerfile":
			r.add(e.Line, show(e), finding.NotNeeded, "init reads the Dockerfile")
		case "image_templates", "images":
			r.names.images(e)
		case "tags":
			r.names.tags(e)
		case "labels", "annotations":
			for _, l := range yamltree.Entries(e.Value) {
				r.label(programs, l.Line, l.Key, yamltree.Scalar(l.Value))
			}
		case "build_flag_templates", "flags", "build_args":
			r.buildFlags(programs, e)
		case "extra_files":
			for _, t := range yamltree.Texts(e.Value) {
				r.add(t.Line, "extra_files: "+t.Value, finding.NotNeeded,
					"the Dockerfile copies it, and init reads that")
			}
		case "hooks", "templated_dockerfile", "templated_extra_files":
			r.byHand(e.Line, show(e), "thimble has no such setting", "", "")
		default:
			r.byHand(e.Line, show(e), "thimble has no such setting", "", "")
		}
	}
}

// programs returns the programs of some builds; of all without ids.
func (r *reader) programs(ids []string) []*finding.Program {
	var all []*finding.Program
	for i := range r.file.Source.Programs {
		wanted := len(ids) == 0
		for _, id := range ids {
			for _, index := range r.builds[id] {
				wanted = wanted || index == i
			}
		}
		if wanted {
			all = append(all, &r.file.Source.Programs[i])
		}
	}
	return all
}

func (r *reader) dockerPlatforms(programs []*finding.Program, e yamltree.Entry) {
	for _, t := range yamltree.Texts(e.Value) {
		if _, err := plan.ParsePlatform(t.Value); err != nil {
			r.byHand(t.Line, t.Value, "thimble does not know the platform", "Platforms", "")
			continue
		}
		for _, p := range programs {
			r.platform(p, t.Value, r.at(t.Line))
		}
		r.add(t.Line, "platforms: "+t.Value, finding.Imported, "Platforms")
	}
}

// buildFlags reads flags of docker build.
func (r *reader) buildFlags(programs []*finding.Program, e yamltree.Entry) {
	for _, arg := range yamltree.Entries(e.Value) {
		if arg.Key != "" {
			r.add(arg.Line, arg.Key+": "+yamltree.Scalar(arg.Value), finding.NotNeeded,
				"thimble runs no docker build")
			continue
		}
		text := yamltree.Scalar(arg.Value)
		if label, ok := strings.CutPrefix(text, "--label="); ok {
			name, value, _ := strings.Cut(strings.Trim(label, `"`), "=")
			r.label(programs, arg.Line, name, value)
			continue
		}
		r.add(arg.Line, text, finding.NotNeeded, "thimble runs no docker build")
	}
}

// own are the labels that thimble sets itself.
var own = []string{"title", "source", "revision", "version", "created", "licenses", "url"}

func (r *reader) label(programs []*finding.Program, line int, name, value string) {
	text := "label " + name + "=" + value
	value = r.translated(value)
	for _, o := range own {
		if name == "org.opencontainers.image."+o && (o != "url" || !stamp.Known(value)) {
			r.add(line, text, finding.NotNeeded, "thimble sets the label")
			return
		}
	}
	if !stamp.Known(value) || strings.Contains(value, "{{") {
		r.byHand(line, text,
			"a label has a fixed text; version, revision and date are in labels that thimble sets",
			"Runtime.Labels", "")
		return
	}
	for _, p := range programs {
		if !slices.ContainsFunc(p.Runtime.Labels,
			func(l finding.Value[string]) bool { return strings.HasPrefix(l.Value, name+"=") }) {
			p.Runtime.Labels = append(p.Runtime.Labels, finding.Found(name+"="+value, r.at(line)))
		}
	}
	r.add(line, text, finding.Imported, "Runtime.Labels")
}

// ko reads an element of kos.
func (r *reader) ko(k yamltree.Entry) {
	var ids []string
	if id := yamltree.Scalar(yamltree.Get(k.Value, "build")); id != "" {
		ids = []string{id}
	}
	programs := r.programs(ids)
	for _, e := range yamltree.Entries(k.Value) {
		switch e.Key {
		case "id", "build", "bare", "preserve_import_paths", "base_import_paths", "sbom", "sbom_directory",
			"disable", "working_dir", "main",
			"creation_time", "ko_data_creation_time", "local_domain":
			r.add(e.Line, show(e), finding.NotNeeded,
				"an image is Repository/<name>, with SBOMs and the commit's date")
		case "repository", "repositories":
			r.names.images(e)
		case "tags":
			r.names.tags(e)
		case "platforms":
			r.dockerPlatforms(programs, e)
		case "labels", "annotations":
			for _, l := range yamltree.Entries(e.Value) {
				r.label(programs, l.Line, l.Key, yamltree.Scalar(l.Value))
			}
		case "base_image":
			r.base(programs, e)
		case "user":
			for _, p := range programs {
				p.Runtime.User = finding.Found(yamltree.Scalar(e.Value), r.at(e.Line))
			}
			r.add(e.Line, show(e), finding.Imported, "Runtime.User")
		case "env", "flags", "ldflags":
			r.byHand(e.Line, show(e), "the build has the same key", "", "")
		default:
			r.byHand(e.Line, show(e), "thimble has no such setting", "", "")
		}
	}
}

// base reads the base image of a ko build.
func (r *reader) base(programs []*finding.Program, e yamltree.Entry) {
	image := yamltree.Scalar(e.Value)
	switch {
	case strings.Contains(image, "distroless/static"), strings.Contains(image, "chainguard/static"):
		r.add(e.Line, show(e), finding.NotNeeded, "the image has the files that the binary needs")
	case strings.Contains(image, "distroless/base"), strings.Contains(image, "distroless/cc"):
		base := "distroless/base"
		if strings.Contains(image, "distroless/cc") {
			base = "distroless/cc"
		}
		for _, p := range programs {
			p.Runtime.Base = finding.Found(base, r.at(e.Line))
		}
		r.add(e.Line, show(e), finding.Imported, "Base")
	default:
		r.byHand(e.Line, show(e), "a static binary needs no base; take it if the program calls others in it",
			"Base", `Base: "`+image+`", // then run mage lock`)
	}
}
