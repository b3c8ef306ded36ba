// Package goreleaser reads .goreleaser.yaml: what it builds, for which platforms, and what is in
// its images and archives. Templates become those of Config.LDFlags.
package goreleaser

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/init/yamltree"
)

// Names are the names of the file, in GoReleaser's order.
var Names = []string{
	".config/goreleaser.yml", ".config/goreleaser.yaml", ".goreleaser.yml", ".goreleaser.yaml",
	"goreleaser.yml", "goreleaser.yaml",
}

// File is what a .goreleaser.yaml says.
type File struct {
	// Source has a program for each build, in the file's order.
	Source finding.Source
	// Hooks are the commands of before.hooks that could make files.
	Hooks []Hook
	// Dockerfiles are the files that its images are made of, with the build that they contain.
	Dockerfiles []Image

	project string
	env     map[string]string
	// cgo is the line of CGO_ENABLED in env.
	cgo  int
	tree *mains.Tree
	// builds are the indexes of the programs of a build id.
	builds map[string][]int
	// registries and moving are what is said already about names of images.
	registries, moving map[string]bool
}

// Hook is a command that runs before the builds.
type Hook struct {
	finding.Place
	Command string
}

// Image is an image that is made of a Dockerfile.
type Image struct {
	finding.Place
	// Dockerfile is relative to the root of the repository.
	Dockerfile string
	// Module and Package are the program in it; Package is "" if that is not known.
	Module, Package string
}

// Read returns what a file says about the main packages of a repository. env are variables with
// which a Makefile calls goreleaser.
func Read(name, text string, env map[string]string, t *mains.Tree) *File {
	f := &File{
		Source: finding.Source{Kind: finding.GoReleaser, File: name}, env: map[string]string{}, tree: t,
		builds: map[string][]int{}, registries: map[string]bool{}, moving: map[string]bool{},
	}
	for k, v := range env {
		f.env[k] = v
	}
	root, err := yamltree.Parse(text)
	if err != nil {
		f.add(0, name, finding.ByHand, err.Error())
		return f
	}
	f.project = yamltree.Scalar(yamltree.Get(root, "project_name"))
	if f.project == "" {
		if m, ok := t.Module(""); ok {
			f.project = path.Base(m.Path)
		}
	}
	for _, e := range yamltree.Texts(yamltree.Get(root, "env")) {
		if variable, value, ok := strings.Cut(e.Value, "="); ok {
			f.env[variable] = value
			if variable == "CGO_ENABLED" {
				f.cgo = e.Line
			}
		}
	}
	entries := yamltree.Entries(root)
	if !slices.ContainsFunc(entries, func(e yamltree.Entry) bool { return e.Key == "builds" }) {
		f.build(yamltree.Entry{}, entries)
	}
	for _, e := range entries {
		if e.Key == "builds" {
			for _, b := range yamltree.Entries(e.Value) {
				f.build(b, entries)
			}
		}
	}
	for _, e := range entries {
		f.section(e)
	}
	return f
}

func (f *File) at(line int) finding.Place { return finding.Place{File: f.Source.File, Line: line} }

func (f *File) add(line int, text string, o finding.Outcome, reason string) {
	f.Source.Lines = append(f.Source.Lines, finding.Line{Place: f.at(line), Text: text,
		Outcome: o, Reason: reason})
}

func (f *File) byHand(line int, text, reason, setting, write string) {
	f.Source.Lines = append(f.Source.Lines, finding.Line{
		Place: f.at(line), Text: text, Outcome: finding.ByHand, Reason: reason,
		Setting: setting, Write: write,
	})
}

func show(e yamltree.Entry) string {
	return strings.TrimSpace(e.Key + ": " + yamltree.Short(e.Value))
}

// translated returns a template as one of Config.LDFlags.
func (f *File) translated(text string) string { return stamp.GoReleaser(text, f.project, f.env) }

// same are sections for which thimble needs no setting.
var same = map[string]string{
	"version":      "it is the version of the file's format",
	"project_name": "an image has the name of its program",
	"dist":         "the output folder is dist", "pro": "it is about GoReleaser Pro",
	"checksum":           "a release always has checksums.txt",
	"sboms":              "every archive and image has SBOMs in two formats",
	"source":             "the commit is in the provenance",
	"changelog":          "dist/archives/notes.md lists all commits since the last release",
	"snapshot":           "an image of a commit without a tag has a version of its own",
	"git":                "the tag of the commit decides the version",
	"gomod":              "modules come from the go command's settings",
	"metadata":           "the commit's date is that of all files",
	"report_sizes":       "the summary of an image has the sizes",
	"docker_manifests":   "every image is one index of all platforms",
	"docker_digest":      "dist/manifest.json has the digests",
	"universal_binaries": "images are for linux", "env_files": "it is for publishing",
	"force_token": "it is for publishing",
	"github_urls": "it is for publishing", "gitlab_urls": "it is for publishing",
	"gitea_urls": "it is for publishing",
	"partial":    "a release of several machines is split with -shard", "includes": "only this file is read",
	"gitea": "it is for publishing", "retry": "thimble tries again",
}

// elsewhere are sections for what thimble does not make.
var elsewhere = []string{
	"nfpms", "srpms", "brews", "homebrew_casks", "scoops", "aurs", "aur_sources", "nix", "snapcrafts",
	"chocolateys", "krews", "winget", "msi", "nsis", "dmg",
	"pkgs", "app_bundles", "npms", "npm", "furies", "cloudsmiths", "flatpaks", "appimages", "makeselfs",
	"blobs", "artifactories", "uploads", "publishers", "announce",
	"milestones", "notarize", "upx", "dockerhub", "mcp", "after", "template_files",
}

// section reads a key of the file, except builds.
func (f *File) section(e yamltree.Entry) {
	switch e.Key {
	case "builds":
	case "env":
		for _, t := range yamltree.Texts(e.Value) {
			f.add(t.Line, t.Value, finding.NotNeeded, "templates and builds that use it have its value")
		}
	case "before":
		f.hooks(e)
	case "archives":
		f.archives(e)
	case "dockers", "dockers_v2":
		for _, d := range yamltree.Entries(e.Value) {
			f.docker(d)
		}
	case "kos":
		for _, k := range yamltree.Entries(e.Value) {
			f.ko(k)
		}
	case "signs", "binary_signs", "docker_signs":
		f.add(e.Line, show(e), finding.NotNeeded,
			"a release always signs, with the key or the identity that you choose for it")
	case "release":
		if yamltree.Scalar(yamltree.Get(e.Value, "disable")) == "true" {
			f.add(e.Line, show(e), finding.NotNeeded, "thimble uploads nothing there")
			return
		}
		f.byHand(e.Line, show(e), "upload dist/archives with your forge's client; notes.md is the text",
			"Release", "")
	case "monorepo":
		f.add(e.Line, show(e), finding.NotNeeded, "a module's tags begin with its folder")
	case "variables":
		f.byHand(e.Line, show(e), "thimble has no variables of your own", "", "")
	default:
		if strings.HasPrefix(e.Key, "x-") {
			f.add(e.Line, show(e), finding.NotNeeded, "it is for other keys to refer to")
			return
		}
		if reason, ok := same[e.Key]; ok {
			f.add(e.Line, show(e), finding.NotNeeded, reason)
			return
		}
		if slices.Contains(elsewhere, e.Key) {
			f.byHand(e.Line, show(e),
				"thimble makes images and archives; dist/manifest.json lists them for other tools",
				"Release", "")
			return
		}
		f.byHand(e.Line, show(e), "thimble has no such setting", "", "")
	}
}

// archives reads the section of archives.
func (f *File) archives(section yamltree.Entry) {
	for _, a := range yamltree.Entries(section.Value) {
		for _, e := range yamltree.Entries(a.Value) {
			switch e.Key {
			case "files":
				for _, file := range yamltree.Entries(e.Value) {
					f.archived(file)
				}
			case "format", "formats", "format_overrides":
				f.add(e.Line, show(e), finding.NotNeeded, "archives are tar.gz, and zip for windows")
			case "name_template":
				f.add(e.Line, show(e), finding.NotNeeded, "the name is <name>_<version>_<os>_<arch>")
			case "wrap_in_directory":
				f.add(e.Line, show(e), finding.NotNeeded, "archives have one folder")
			case "id", "ids", "builds", "allow_different_binary_count":
				f.add(e.Line, show(e), finding.NotNeeded, "every program has archives")
			case "builds_info":
				f.add(e.Line, show(e), finding.NotNeeded,
					"files in archives have the commit's time and belong to root; the program has the mode 0755")
			default:
				f.byHand(e.Line, show(e), "thimble has no such setting for archives", "Release", "")
			}
		}
	}
}

// archived reads a file of an archive.
func (f *File) archived(e yamltree.Entry) {
	name := yamltree.Scalar(e.Value)
	if name == "" {
		name = yamltree.Scalar(yamltree.Get(e.Value, "src"))
	}
	upper := strings.ToUpper(path.Base(name))
	for _, always := range []string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "README"} {
		if strings.HasPrefix(upper, always) {
			f.add(e.Line, "files: "+name, finding.NotNeeded, "archives have licence, notice and README")
			return
		}
	}
	if name == "none*" {
		f.add(e.Line, "files: "+name, finding.NotNeeded, "archives have licence, notice and README")
		return
	}
	f.byHand(e.Line, "files: "+name, "archives have licence, notice and README, and no further files",
		"Release", "")
}
