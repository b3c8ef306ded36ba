// Package state contains what the instructions of a stage have made so far: its root file system,
// its accounts, its variables, and the settings of the image. Instructions change it; a stage that
// begins with another one gets a copy.
package state

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/accounts"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/plan"
)

// State is what the instructions of a stage have made.
type State struct {
	Stage   *syntax.Stage
	Vars    map[string]string // ARG and ENV, for expansion
	Workdir string
	User    string
	// Base is the image at the end of the chain of stages, From the place of its FROM, and FromLine
	// the outcome of that. NonRoot says that the image has a user.
	Base     string
	From     finding.Place
	FromLine *finding.Line
	NonRoot  bool

	FS       rootfs.FS
	Accounts accounts.Accounts
	Builds   []Build
	// Compiles says that this stage or one that it begins with compiles Go.
	Compiles bool
	Cgo      finding.Value[bool]
	Compiler finding.Value[bool] // a C compiler is installed
	Debian   []finding.Value[string]
	Include  []finding.Value[string]
	Before   []finding.Value[[]string]
	Prepared []Prepared
	Certs    []finding.Value[string]

	// The settings of the image.
	Entrypoint, Cmd Setting[Command]
	Env, Labels     []Setting[Variable]
	Ports, Volumes  []Setting[string]
	RunAs           Setting[string] // USER
	WorkingDir      Setting[string]
	StopSignal      Setting[string]
	Health          Setting[*plan.Healthcheck]
	Symlinks        []Setting[plan.Symlink]
}

// Build is a program that a stage compiles.
type Build struct {
	Main int
	finding.Build
}

// Prepared is a command that makes files for the compiler or the image, such as npm run build.
type Prepared struct {
	Words []string
	Dir   string // in the stage
	Line  *finding.Line
}

// New returns the state of a stage that begins with an image.
func New(s *syntax.Stage, files finding.Files) *State {
	return &State{
		Stage: s, Vars: map[string]string{}, Workdir: "/", Base: s.Base, From: s.From.Place,
		FS: rootfs.New(files), Accounts: accounts.Accounts{
			Alpine: strings.Contains(s.Base, "alpine") || strings.Contains(s.Base, "busybox"),
		},
	}
}

// Next returns a copy for a stage that begins with this one.
func (st *State) Next(s *syntax.Stage) *State {
	c := *st
	c.Stage = s
	c.Vars = maps.Clone(st.Vars)
	c.FS, c.Accounts = st.FS.Clone(), st.Accounts.Clone()
	c.Builds, c.Env, c.Labels = slices.Clone(st.Builds), slices.Clone(st.Env), slices.Clone(st.Labels)
	c.Ports, c.Volumes, c.Symlinks = slices.Clone(st.Ports), slices.Clone(st.Volumes),
		slices.Clone(st.Symlinks)
	c.Debian, c.Include, c.Certs = slices.Clone(st.Debian), slices.Clone(st.Include), slices.Clone(st.Certs)
	c.Before, c.Prepared = slices.Clone(st.Before), slices.Clone(st.Prepared)
	return &c
}

// Ships reports whether the stage is an image, or an image begins with it.
func (st *State) Ships() bool { return st.Stage.Role == syntax.Ships }

// Abs returns a path of the image.
func (st *State) Abs(p string) string {
	if !path.IsAbs(p) {
		p = path.Join(st.Workdir, p)
	}
	return path.Clean(p)
}

// IsFolder reports whether a path of the stage is a folder.
func (st *State) IsFolder(p string) bool {
	p = path.Clean(p)
	return p == st.Workdir || st.Base != "scratch" && rootfs.InUsualBases(p) || p == "/" || st.FS.IsFolder(p)
}

// Program returns the main package of the program that the first word of a command starts.
func (st *State) Program(repo repository.Repository, word string) (main int, ok bool) {
	if strings.Contains(word, "/") {
		if e, ok := st.FS.At(st.Abs(word)); ok {
			return e.Main, e.Kind == rootfs.Program
		}
	} else {
		for _, e := range slices.Backward(st.FS.Entries) {
			if e.Kind == rootfs.Program && path.Base(e.Target) == word {
				return e.Main, true
			}
		}
	}
	if at := repo.MainNamed(word); at >= 0 && slices.Contains(st.FS.Mains(), at) {
		return at, true
	}
	return -1, false
}
