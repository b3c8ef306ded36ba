package run

import (
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/gobuild"
	"github.com/thimble-build/thimble/build/init/makefile"
)

// runMake follows the targets of a Makefile of the repository that a stage makes: which programs
// are where afterwards. Their settings are read from the Makefile itself.
func runMake(c command, st *state.State, repo repository.Repository) {
	folder, ok := st.FS.SourcePath(path.Clean("/" + c.Dir))
	if !ok {
		return
	}
	set := map[string]string{}
	var targets []string
	for i := 0; i < len(c.args); i++ {
		switch arg := c.args[i]; {
		case arg == "-C" && i+1 < len(c.args):
			i++
			folder = path.Join(folder, c.args[i])
		case strings.HasPrefix(arg, "-"):
		case strings.Contains(arg, "="):
			name, value, _ := strings.Cut(arg, "=")
			set[name] = value
		default:
			targets = append(targets, arg)
		}
	}
	for _, name := range makefile.Names {
		m, ok := makefile.Parse(path.Join(folder, name),
			makefile.Options{Read: repo.Text, Set: set, Env: st.Vars})
		if !ok {
			continue
		}
		for _, command := range m.Run(targets...) {
			if b, ok := gobuild.Read(command.Command); ok {
				putRecipe(b, command.Place, st, repo)
			}
		}
		return
	}
}

// putRecipe adds the programs that a recipe compiles. Its folder is one of the repository.
func putRecipe(b gobuild.Build, at finding.Place, st *state.State, repo repository.Repository) {
	var found []int
	for _, pkg := range b.Packages {
		dir := path.Clean(pkg)
		if strings.HasSuffix(dir, ".go") {
			dir = path.Dir(dir)
		}
		if main := repo.MainIn(path.Join(b.Dir, dir)); main >= 0 {
			found = append(found, main)
		} else {
			found = append(found, packagesAt(b.Dir, pkg, rootfs.FS{}, repo)...)
		}
	}
	dir, ok := st.FS.TargetPath(b.Dir)
	if !ok {
		return
	}
	b.Dir = dir
	putPrograms(found, b, at, st, repo)
}
