// Package goreleaser reads .goreleaser.yaml: what it builds, for which platforms, and what is in
// its images and archives. Templates become those of Config.LDFlags.
package goreleaser

import (
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/yamltree"
)

// Names are the names of the file, in GoReleaser's order.
var Names = []string{
	".config/goreleaser.yml", ".config/goreleaser.yaml", ".goreleaser.yml", ".goreleaser.yaml",
	"goreleaser.yml", "goreleaser.yaml",
}

// Read returns what a file says about the main packages of a repository. env are variables with
// which a Makefile calls goreleaser.
func Read(name, text string, env map[string]string, t *mains.Tree) *File {
	f := &File{Source: finding.Source{Kind: finding.GoReleaser, File: name}}
	lines := outcomes{&f.Source}
	root, err := yamltree.Parse(text)
	if err != nil {
		lines.add(0, name, finding.ByHand, err.Error())
		return f
	}
	r := newReader(f, lines, root, env, t)
	entries := yamltree.Entries(root)
	if !slices.ContainsFunc(entries, func(e yamltree.Entry) bool { return e.Key == "builds" }) {
		r.build(yamltree.Entry{}, entries)
	}
	for _, e := range entries {
		if e.Key == "builds" {
			for _, b := range yamltree.Entries(e.Value) {
				r.build(b, entries)
			}
		}
	}
	for _, e := range entries {
		r.section(e)
	}
	return f
}

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
func (r *reader) section(e yamltree.Entry) {
	switch e.Key {
	case "builds":
	case "env":
		for _, t := range yamltree.Texts(e.Value) {
			r.add(t.Line, t.Value, finding.NotNeeded, "templates and builds that use it have its value")
		}
	case "before":
		r.hooks(e)
	case "archives":
		archives(r.outcomes, e)
	case "dockers", "dockers_v2":
		for _, d := range yamltree.Entries(e.Value) {
			r.docker(d)
		}
	case "kos":
		for _, k := range yamltree.Entries(e.Value) {
			r.ko(k)
		}
	case "signs", "binary_signs", "docker_signs":
		r.add(e.Line, show(e), finding.NotNeeded,
			"a release always signs, with the key or the identity that you choose for it")
	case "release":
		if yamltree.Scalar(yamltree.Get(e.Value, "disable")) == "true" {
			r.add(e.Line, show(e), finding.NotNeeded, "thimble uploads nothing there")
			return
		}
		r.byHand(e.Line, show(e), "upload dist/archives with your forge's client; notes.md is the text",
			"Release", "")
	case "monorepo":
		r.add(e.Line, show(e), finding.NotNeeded, "a module's tags begin with its folder")
	case "variables":
		r.byHand(e.Line, show(e), "thimble has no variables of your own", "", "")
	default:
		if strings.HasPrefix(e.Key, "x-") {
			r.add(e.Line, show(e), finding.NotNeeded, "it is for other keys to refer to")
			return
		}
		if reason, ok := same[e.Key]; ok {
			r.add(e.Line, show(e), finding.NotNeeded, reason)
			return
		}
		if slices.Contains(elsewhere, e.Key) {
			r.byHand(e.Line, show(e),
				"thimble makes images and archives; dist/manifest.json lists them for other tools",
				"Release", "")
			return
		}
		r.byHand(e.Line, show(e), "thimble has no such setting", "", "")
	}
}
