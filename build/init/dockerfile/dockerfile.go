// Package dockerfile reads Dockerfiles and returns what thimble makes of each: the programs that
// its images ship, their runtime settings, and an outcome for every line.
//
// Read takes the text of one Dockerfile and the files of the repository. It follows every stage
// from which something reaches an image: which path holds a program of the repository, which one
// a file of the repository, and which one something that only a command makes. It runs nothing,
// fetches nothing, and knows base images only by their names.
//
// The way of the data is
//
//	text        ─▶ syntax              stages with their instructions and roles
//	instruction ─▶ settings            FROM, ARG, ENV, USER, …  ─▶ state
//	               copying             COPY and ADD             ─▶ state
//	               run                 RUN                      ─▶ state
//	state       ─▶ entrypoint, ship    the program of an image
//
// Each of them says in an outcome.Lines what becomes of a line. A state.State has the root file
// system (rootfs), the accounts and the settings of a stage. A repository.Repository is what all
// of them may look up; it never changes.
package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/thimble-build/thimble/build/init/dockerfile/before"
	"github.com/thimble-build/thimble/build/init/dockerfile/buildcontext"
	"github.com/thimble-build/thimble/build/init/dockerfile/copying"
	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/run"
	"github.com/thimble-build/thimble/build/init/dockerfile/settings"
	"github.com/thimble-build/thimble/build/init/dockerfile/ship"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
)

// Find returns the Dockerfiles of a repository, of any name and in any folder. The one that
// should decide comes first: Dockerfile before Dockerfile.debug, the root before a folder.
func Find(files finding.Files) []string { return syntax.Find(files) }

// Read reads a Dockerfile. mains are the main packages of the repository. args are values that a
// Makefile gives to build arguments: they replace missing defaults and placeholders.
func Read(name string, text []byte, files finding.Files, mains []finding.Main,
	args map[string]string) (finding.Source, error) {
	file, err := syntax.Parse(name, text, args)
	if err != nil {
		return finding.Source{}, err
	}
	repo := repository.Repository{
		Files: files, Mains: mains,
		Context: buildcontext.Open(files, name, file.ContextSources()),
	}
	var lines outcome.Lines
	beforeStages(file, &lines)
	var states []*state.State
	for _, s := range file.Stages {
		states = append(states, evaluate(s, file, states, repo, &lines))
	}
	var programs []finding.Program
	for _, s := range file.Images {
		if p, ok := ship.Program(states[s.Index], states, repo, programs, &lines); ok {
			programs = append(programs, p)
		}
	}
	if len(programs) == 0 {
		lines.NoneNeeded("no image of it ships a program of this repository")
	}
	return finding.Source{
		Kind: finding.Dockerfile, File: name, Programs: programs,
		Lines: lines.Sorted(), Prepared: before.Prepared(states),
	}, nil
}

// beforeStages says what becomes of the instructions before the first FROM.
func beforeStages(file *syntax.File, lines *outcome.Lines) {
	for _, i := range file.Before {
		if _, ok := i.Command.(*instructions.ArgCommand); ok {
			lines.Say(i, finding.NotNeeded, "a build argument; its default is used where it is named")
			continue
		}
		lines.Invalid(i)
	}
}

// evaluate follows the instructions of a stage. states are those of the stages before it.
func evaluate(s *syntax.Stage, file *syntax.File, states []*state.State,
	repo repository.Repository, lines *outcome.Lines) *state.State {
	st := state.New(s, repo.Files)
	if s.Parent != nil {
		st = states[s.Parent.Index].Next(s)
	}
	if s.Role == syntax.Unused {
		for _, i := range append([]syntax.Instruction{s.From}, s.Body...) {
			lines.Say(i, finding.NotNeeded, "no image uses stage "+s.Title())
		}
		return st
	}
	settings.From(st, lines)
	for _, i := range s.Body {
		switch c := i.Command.(type) {
		case *instructions.CopyCommand:
			var from *state.State
			if other := file.StageNamed(file.Plain(c.From, file.Global), s); other != nil {
				from = states[other.Index]
			}
			copying.Apply(i, from, file.Arguments, repo, st, lines)
		case *instructions.AddCommand:
			copying.Apply(i, nil, file.Arguments, repo, st, lines)
		case *instructions.RunCommand:
			run.Apply(i, c, file.Shell(i, c), repo, st, lines)
		default:
			settings.Apply(i, file.Arguments, st, lines)
		}
	}
	return st
}
