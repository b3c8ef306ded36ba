package dockerfile

import (
	"maps"
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/gobuild"
)

// built is a program that a stage compiles.
type built struct {
	main  int
	build finding.Build
	from  finding.Place
}

// goBuild handles go build and go install.
func (r *reader) goBuild(c running, b gobuild.Build, st *state) {
	st.compiles = true
	env := map[string]string{}
	if value, ok := st.vars["CGO_ENABLED"]; ok {
		env["CGO_ENABLED"] = value
	}
	for _, name := range []string{"GOFLAGS", "GOEXPERIMENT", "GOFIPS140"} {
		if value, ok := st.vars[name]; ok {
			env[name] = value
		}
	}
	maps.Copy(env, b.Env)
	b.Env = env
	settings, lines := gobuild.Settings(b, c.Place, nil)
	if !settings.Cgo.Set() {
		settings.Cgo = st.cgo
	}
	settings.Compiler = st.compiler
	var found []int
	for _, pkg := range b.Packages {
		found = append(found, r.packagesAt(b.Dir, pkg, st)...)
	}
	line := r.sayRun(c, finding.NotNeeded, "thimble compiles it")
	if len(found) == 0 {
		if at := r.programNamed(b.Output); b.Output != "" && at >= 0 {
			found = append(found, at)
		} else {
			line.Reason = "it compiles no program of this repository"
			return
		}
	}
	var imported []string
	for _, l := range lines {
		switch l.Outcome {
		case finding.ByHand:
			own := l
			own.Module, own.Package = r.mains[found[0]].Module, r.mains[found[0]].Package
			r.lines = append(r.lines, &own)
		case finding.Imported:
			if l.Reason != "Cgo" {
				imported = append(imported, l.Reason)
			}
		}
	}
	if len(imported) > 0 {
		line.Outcome, line.Reason = finding.Imported, strings.Join(distinct(imported), ", ")
	}
	for _, at := range found {
		st.builds = append(st.builds, built{at, settings, c.Place})
		st.put(entry{kind: program, main: at, target: r.output(b, at, len(found) > 1, st), from: c.Place})
	}
}

func distinct(list []string) []string {
	var all []string
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	return all
}

// output returns the path that go build writes a program to.
func (r *reader) output(b gobuild.Build, at int, several bool, st *state) string {
	binary := r.mains[at].Binary
	switch {
	case b.Install:
		folder := st.vars["GOBIN"]
		if folder == "" {
			folder = path.Join(or(st.vars["GOPATH"], "/go"), "bin")
		}
		return path.Join(folder, binary)
	case b.Output == "":
		return path.Join(b.Dir, binary)
	}
	target := b.Output
	if !path.IsAbs(target) {
		target = path.Join(b.Dir, target)
	}
	if several || strings.HasSuffix(b.Output, "/") || b.Output == "." || st.isFolder(target) {
		return path.Join(target, binary)
	}
	return path.Clean(target)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// packagesAt returns the main packages that an argument of go build names.
func (r *reader) packagesAt(dir, arg string, st *state) []int {
	for i, m := range r.mains { // an import path
		if m.ModulePath != "" && path.Join(m.ModulePath, m.Package) == path.Clean(arg) {
			return []int{i}
		}
	}
	target := arg
	if !path.IsAbs(target) {
		target = path.Join(dir, target)
	}
	pattern := strings.HasSuffix(target, "/...")
	target = strings.TrimSuffix(target, "/...")
	if strings.HasSuffix(target, ".go") {
		target = path.Dir(target)
	}
	source, ok := r.treePath(st, target)
	if !ok {
		if path.IsAbs(arg) {
			return nil
		}
		source = path.Join(r.context.folder, strings.TrimSuffix(strings.TrimSuffix(arg, "..."), "/"))
		if strings.HasSuffix(arg, ".go") {
			source = path.Join(r.context.folder, path.Dir(arg))
		}
	}
	if !pattern {
		if at := r.main(source); at >= 0 {
			return []int{at}
		}
		return nil
	}
	var all []int
	for i, m := range r.mains {
		if source == "." || m.Folder() == source || strings.HasPrefix(m.Folder(), source+"/") {
			all = append(all, i)
		}
	}
	return all
}
