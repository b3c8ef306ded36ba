package dockerfile

import (
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/gobuild"
	"github.com/thimble-build/thimble/build/init/makefile"
)

// makes follows the targets of a Makefile of the repository that a stage makes: which programs
// are where afterwards. Their settings are read from the Makefile itself.
func (r *reader) makes(c running, st *state) {
	folder, ok := r.treePath(st, path.Clean("/"+c.Dir))
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
	read := func(name string) (string, bool) {
		if !r.files.Has(name) {
			return "", false
		}
		b, err := r.files.Read(name)
		return string(b), err == nil
	}
	for _, name := range makefile.Names {
		m, ok := makefile.Parse(path.Join(folder, name), makefile.Options{Read: read, Set: set, Env: st.vars})
		if !ok {
			continue
		}
		for _, command := range m.Run(targets...) {
			if b, ok := gobuild.Read(command.Command); ok {
				r.made(b, command.Place, st)
			}
		}
		return
	}
}

// made adds the programs that a recipe compiles. Its folder is one of the repository.
func (r *reader) made(b gobuild.Build, at finding.Place, st *state) {
	var found []int
	for _, pkg := range b.Packages {
		dir := path.Clean(pkg)
		if strings.HasSuffix(dir, ".go") {
			dir = path.Dir(dir)
		}
		if main := r.main(path.Join(b.Dir, dir)); main >= 0 {
			found = append(found, main)
		} else {
			found = append(found, r.packagesAt(b.Dir, pkg, &state{})...)
		}
	}
	dir, ok := r.stagePath(st, b.Dir)
	if !ok {
		return
	}
	b.Dir = dir
	for _, main := range found {
		st.put(entry{kind: program, main: main, target: r.output(b, main, len(found) > 1, st), from: at})
	}
}

// stagePath returns where a folder of the repository is in a stage.
func (r *reader) stagePath(st *state, folder string) (string, bool) {
	for _, e := range st.entries {
		if e.kind != file || !strings.HasSuffix(e.source, "/") {
			continue
		}
		source := path.Clean(e.source)
		if source == "." {
			return path.Join(e.target, folder), true
		}
		if rel, below := strings.CutPrefix(path.Clean(folder)+"/", source+"/"); below {
			return path.Join(e.target, rel), true
		}
	}
	return "", false
}
