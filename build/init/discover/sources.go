// Package discover decides which programs of a repository become images.
//
// Read reads the build files, except Dockerfiles. Choose takes the programs that somebody ships,
// and says why the others are left out. After finding.Merge, Finish gives them names that differ,
// and the flags for their version variables, and says which lines had no effect.
package discover

import (
	"path"
	"slices"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/goreleaser"
	"github.com/thimble-build/thimble/build/init/gotask"
	"github.com/thimble-build/thimble/build/init/kofile"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/makefile"
	"github.com/thimble-build/thimble/build/init/promu"
	"github.com/thimble-build/thimble/build/init/stamp"
)

// Files are the build files of a repository, as far as they are read once.
type Files struct {
	Ko         []*kofile.File
	GoReleaser []*goreleaser.File
	Makefiles  []*makefile.File
	// Others are the sources of the other files.
	Others []finding.Source
}

// Read reads the build files at the root and in the folder of each module. read returns a file of
// the repository by its name relative to the root.
func Read(t *mains.Tree, read func(name string) (string, bool)) Files {
	var f Files
	dirs := []string{"."}
	for _, m := range t.Modules {
		if m.Dir != "" {
			dirs = append(dirs, m.Dir)
		}
	}
	for _, dir := range dirs {
		f.folder(t, dir, read)
	}
	return f
}

func (f *Files) folder(t *mains.Tree, dir string, read func(name string) (string, bool)) {
	repo := stamp.Repository{Read: func(name string) (string, bool) { return read(path.Join(dir, name)) }}
	if m, ok := t.Of(dir); ok {
		repo.Module = m.Path
	}
	first := func(names []string) (name, text string, ok bool) {
		for _, n := range names {
			name = path.Join(dir, n)
			if text, ok = read(name); ok {
				return name, text, true
			}
		}
		return "", "", false
	}
	env := map[string]map[string]string{}
	if name, _, ok := first(makefile.Names); ok {
		if m, ok := makefile.Parse(name, makefile.Options{Read: read, Repository: repo}); ok {
			f.Makefiles = append(f.Makefiles, m)
			for _, program := range []string{"ko", "goreleaser"} {
				env[program] = m.Environment(program)
			}
		}
	}
	if name, text, ok := first(kofile.Names); ok {
		f.Ko = append(f.Ko, kofile.Read(name, text, env["ko"], t))
	}
	if name, text, ok := first(goreleaser.Names); ok {
		f.GoReleaser = append(f.GoReleaser, goreleaser.Read(name, text, env["goreleaser"], t))
	}
	if name, text, ok := first(promu.Names); ok {
		f.Others = append(f.Others, promu.Read(name, text, t))
	}
	if name, text, ok := first(gotask.Names); ok {
		f.Others = append(f.Others, gotask.Source(name, text, t, repo))
	}
}

// BuildArgs returns the values that the Makefiles give to build arguments of Dockerfiles.
func (f Files) BuildArgs() map[string]string {
	all := map[string]string{}
	for _, m := range f.Makefiles {
		for name, value := range m.BuildArgs() {
			if _, ok := all[name]; !ok {
				all[name] = value
			}
		}
	}
	return all
}

// Sources returns what all files say.
func (f Files) Sources(t *mains.Tree) []finding.Source {
	var all []finding.Source
	for _, k := range f.Ko {
		all = append(all, k.Source)
	}
	for _, g := range f.GoReleaser {
		all = append(all, g.Source)
	}
	for _, m := range f.Makefiles {
		all = append(all, m.Source(t))
	}
	return slices.Concat(all, f.Others)
}

// WithDefaults adds what the .ko.yaml files say about programs that they do not name, such as the
// base image, for the programs in sources.
func (f Files) WithDefaults(t *mains.Tree, sources []finding.Source) []finding.Source {
	all := slices.Clone(sources)
	programs, _ := finding.Merge(sources)
	for _, k := range f.Ko {
		defaults := finding.Source{Kind: finding.Ko, File: k.Source.File}
		for _, p := range programs {
			m, known := t.At(path.Join(p.Module, p.Package))
			if d, ok := k.Defaults(m); known && ok {
				defaults.Programs = append(defaults.Programs, d.Program)
				defaults.Lines = append(defaults.Lines, d.Lines...)
			}
		}
		all = append(all, defaults)
	}
	return all
}
