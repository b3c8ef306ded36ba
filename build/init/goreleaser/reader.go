package goreleaser

import (
	"maps"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/yamltree"
)

// reader reads one file.
type reader struct {
	outcomes
	templates
	file *File
	tree *mains.Tree
	// cgo is the line of CGO_ENABLED in env, 0 if it is not there.
	cgo int
	// builds are the indexes of the programs of a build id.
	builds map[string][]int
	names  imageNames
}

// newReader reads what all parts of the file refer to: its project name and its variables.
func newReader(f *File, lines outcomes, root *yaml.Node, env map[string]string, t *mains.Tree) *reader {
	project := yamltree.Scalar(yamltree.Get(root, "project_name"))
	values := templates{project, map[string]string{}}
	if values.project == "" {
		if m, ok := t.Module(""); ok {
			values.project = path.Base(m.Path)
		}
	}
	maps.Copy(values.env, env)
	cgo := 0
	for _, e := range yamltree.Texts(yamltree.Get(root, "env")) {
		if variable, value, ok := strings.Cut(e.Value, "="); ok {
			values.env[variable] = value
			if variable == "CGO_ENABLED" {
				cgo = e.Line
			}
		}
	}
	return &reader{
		outcomes: lines, templates: values, file: f, tree: t, cgo: cgo, builds: map[string][]int{},
		names: imageNames{lines, values, map[string]bool{}, map[string]bool{}},
	}
}
