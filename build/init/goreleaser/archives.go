package goreleaser

import (
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/yamltree"
)

// archives reads the section of archives.
func archives(lines outcomes, section yamltree.Entry) {
	for _, a := range yamltree.Entries(section.Value) {
		for _, e := range yamltree.Entries(a.Value) {
			switch e.Key {
			case "files":
				for _, file := range yamltree.Entries(e.Value) {
					archived(lines, file)
				}
			case "format", "formats", "format_overrides":
				lines.add(e.Line, show(e), finding.NotNeeded, "archives are tar.gz, and zip for windows")
			case "name_template":
				lines.add(e.Line, show(e), finding.NotNeeded, "the name is <name>_<version>_<os>_<arch>")
			case "wrap_in_directory":
				lines.add(e.Line, show(e), finding.NotNeeded, "archives have one folder")
			case "id", "ids", "builds", "allow_different_binary_count":
				lines.add(e.Line, show(e), finding.NotNeeded, "every program has archives")
			case "builds_info":
				lines.add(e.Line, show(e), finding.NotNeeded,
					"files in archives have the commit's time and belong to root; "+
						"the program has the mode 0755")
			default:
				lines.byHand(e.Line, show(e), "thimble has no such setting for archives", "Release", "")
			}
		}
	}
}

// archived reads a file of an archive.
func archived(lines outcomes, e yamltree.Entry) {
	name := yamltree.Scalar(e.Value)
	if name == "" {
		name = yamltree.Scalar(yamltree.Get(e.Value, "src"))
	}
	upper := strings.ToUpper(path.Base(name))
	for _, always := range []string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "README"} {
		if strings.HasPrefix(upper, always) {
			lines.add(e.Line, "files: "+name, finding.NotNeeded, "archives have licence, notice and README")
			return
		}
	}
	if name == "none*" {
		lines.add(e.Line, "files: "+name, finding.NotNeeded, "archives have licence, notice and README")
		return
	}
	lines.byHand(e.Line, "files: "+name, "archives have licence, notice and README, and no further files",
		"Release", "")
}
