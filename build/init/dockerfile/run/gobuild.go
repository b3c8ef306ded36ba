package run

import (
	"cmp"
	"maps"
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/gobuild"
)

// goBuild handles go build and go install.
func goBuild(c command, b gobuild.Build, st *state.State, repo repository.Repository, lines *outcome.Lines) {
	st.Compiles = true
	env := map[string]string{}
	if value, ok := st.Vars["CGO_ENABLED"]; ok {
		env["CGO_ENABLED"] = value
	}
	for _, name := range []string{"GOFLAGS", "GOEXPERIMENT", "GOFIPS140"} {
		if value, ok := st.Vars[name]; ok {
			env[name] = value
		}
	}
	maps.Copy(env, b.Env)
	b.Env = env
	settings, flags := gobuild.Settings(b, c.Place, nil)
	if !settings.Cgo.Set() {
		settings.Cgo = st.Cgo
	}
	settings.Compiler = st.Compiler
	var found []int
	for _, pkg := range b.Packages {
		if !ofAnother(b, st, repo) {
			found = append(found, packagesAt(b.Dir, pkg, st.FS, repo)...)
		}
	}
	line := c.say(lines, finding.NotNeeded, "thimble compiles it")
	if len(found) == 0 {
		if at := repo.MainNamed(b.Output); b.Output != "" && at >= 0 {
			found = append(found, at)
		} else {
			line.Reason = "it compiles no program of this repository"
			if b.Output != "" && !strings.HasSuffix(b.Output, "/") {
				st.FS.Put(rootfs.Entry{Kind: rootfs.Other, Target: c.path(b.Output), From: c.Place})
			}
			return
		}
	}
	var imported []string
	for _, l := range flags {
		switch l.Outcome {
		case finding.ByHand:
			l.Module, l.Package = repo.Mains[found[0]].Module, repo.Mains[found[0]].Package
			lines.Add(l)
		case finding.Imported:
			if l.Reason != "Cgo" {
				imported = outcome.AddReason(imported, l.Reason)
			}
		}
	}
	if len(imported) > 0 {
		outcome.Imported(line, strings.Join(imported, ", "))
	}
	for _, at := range found {
		st.Builds = append(st.Builds, state.Build{Main: at, Build: settings})
	}
	putPrograms(found, b, c.Place, st, repo)
}

// ofAnother reports whether go build compiles a program of another repository: in a folder into which
// no file of this one was copied, after all programs of this one with that name were compiled.
func ofAnother(b gobuild.Build, st *state.State, repo repository.Repository) bool {
	if _, ok := st.FS.SourcePath(path.Clean("/" + b.Dir)); ok || b.Output == "" {
		return false
	}
	return len(st.Builds) > 0 && repo.MainNamed(path.Base(b.Output)) < 0
}

// putPrograms adds the programs that go build writes.
func putPrograms(mains []int, b gobuild.Build, from finding.Place, st *state.State,
	repo repository.Repository) {
	for _, at := range mains {
		st.FS.Put(rootfs.Entry{Kind: rootfs.Program, Main: at, From: from,
			Target: output(b, at, len(mains) > 1, st, repo)})
	}
}

// output returns the path that go build writes a program to.
func output(b gobuild.Build, at int, several bool, st *state.State, repo repository.Repository) string {
	binary := repo.Mains[at].Binary
	switch {
	case b.Install:
		folder := st.Vars["GOBIN"]
		if folder == "" {
			folder = path.Join(cmp.Or(st.Vars["GOPATH"], "/go"), "bin")
		}
		return path.Join(folder, binary)
	case b.Output == "":
		return path.Join(b.Dir, binary)
	}
	target := b.Output
	if !path.IsAbs(target) {
		target = path.Join(b.Dir, target)
	}
	if several || strings.HasSuffix(b.Output, "/") || b.Output == "." || st.IsFolder(target) {
		return path.Join(target, binary)
	}
	return path.Clean(target)
}

// packagesAt returns the main packages that an argument of go build names.
func packagesAt(dir, arg string, fs rootfs.FS, repo repository.Repository) []int {
	for i, m := range repo.Mains { // an import path
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
	source, ok := fs.SourcePath(target)
	if !ok {
		if path.IsAbs(arg) {
			return nil
		}
		source = path.Join(repo.Context.Folder, strings.TrimSuffix(strings.TrimSuffix(arg, "..."), "/"))
		if strings.HasSuffix(arg, ".go") {
			source = path.Join(repo.Context.Folder, path.Dir(arg))
		}
	}
	if !pattern {
		if at := repo.MainIn(source); at >= 0 {
			return []int{at}
		}
		return nil
	}
	var all []int
	for i, m := range repo.Mains {
		if source == "." || m.Folder() == source || strings.HasPrefix(m.Folder(), source+"/") {
			all = append(all, i)
		}
	}
	return all
}
