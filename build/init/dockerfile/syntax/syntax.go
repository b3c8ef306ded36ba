// Package syntax reads the text of a Dockerfile. It finds the Dockerfiles of a repository, splits
// one into stages and instructions with their lines, and knows which stages are images, which
// ones an image copies from, and what the variables before the first FROM are. It follows no
// instruction: the rest of the package dockerfile does.
package syntax

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/thimble-build/thimble/build/init/finding"
)

// File is a parsed Dockerfile.
type File struct {
	// Before are the instructions before the first FROM.
	Before []Instruction
	Stages []*Stage
	// Images are the stages that are images, in their order.
	Images []*Stage
	Arguments
	text   []string // the lines of the file
	escape rune
}

// Instruction is one instruction with its place.
type Instruction struct {
	finding.Place
	// Last is its last line.
	Last int
	// Text is the instruction on one line.
	Text string
	// Command is an instructions.Command or an *instructions.Stage; nil if Err is set.
	Command any
	Err     error
}

// Stage is a FROM with the instructions below it.
type Stage struct {
	// Index is its index in File.Stages.
	Index int
	From  Instruction
	Body  []Instruction
	// Base is the expanded name of the base, Parent the stage of that name, if it is one.
	Base   string
	Parent *Stage
	Role   Role
	name   string
}

// Role says what a stage is for.
type Role int

const (
	// Unused stages contribute nothing to an image.
	Unused Role = iota
	// Builds makes something that an image copies.
	Builds
	// Ships is an image, or the stage that an image begins with.
	Ships
)

// Title returns the name of the stage, or its line, for a text.
func (s *Stage) Title() string {
	if s.name != "" {
		return s.name
	}
	return "in line " + strconv.Itoa(s.From.Line)
}

// Parse reads a Dockerfile. An instruction that is not valid is kept with its error. given are
// values that a Makefile gives to build arguments: they replace missing defaults and placeholders.
func Parse(name string, text []byte, given map[string]string) (*File, error) {
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	f := &File{text: strings.Split(string(text), "\n"), escape: result.EscapeToken}
	var bases []string
	for _, node := range result.AST.Children {
		i := Instruction{
			Place: finding.Place{File: name, Line: node.StartLine}, Last: node.EndLine,
			Text: strings.Join(strings.Fields(node.Original), " "),
		}
		if i.Command, i.Err = instructions.ParseInstruction(node); i.Err != nil {
			i.Command = nil // it may be a nil pointer of an instruction
		}
		switch stage, isStage := i.Command.(*instructions.Stage); {
		case isStage:
			f.Stages = append(f.Stages, &Stage{Index: len(f.Stages), From: i, name: stage.Name})
			bases = append(bases, stage.BaseName)
		case len(f.Stages) == 0:
			f.Before = append(f.Before, i)
		default:
			s := f.Stages[len(f.Stages)-1]
			s.Body = append(s.Body, i)
		}
	}
	if len(f.Stages) == 0 {
		return nil, fmt.Errorf("read %s: it has no FROM", name)
	}
	lex := shell.NewLex(result.EscapeToken)
	lex.SkipUnsetEnv = false
	f.Arguments = readArguments(f.Before, given, lex)
	for at, s := range f.Stages {
		s.Base = f.Plain(bases[at], f.Global)
		s.Parent = f.StageNamed(s.Base, s)
	}
	f.Images = f.roles()
	return f, nil
}

// ContextSources returns the sources that the stages copy from the build context.
func (f *File) ContextSources() []string {
	var all []string
	for _, s := range f.Stages {
		for _, i := range s.Body {
			switch c := i.Command.(type) {
			case *instructions.CopyCommand:
				if c.From == "" {
					all = append(all, c.SourcePaths...)
				}
			case *instructions.AddCommand:
				all = append(all, c.SourcePaths...)
			}
		}
	}
	for i := range all {
		all[i] = strings.TrimPrefix(path.Clean("/"+all[i]), "/")
		if all[i] == "" {
			all[i] = "."
		}
	}
	return all
}

// StageNamed returns the stage with a name or number before another stage, nil if there is none.
func (f *File) StageNamed(name string, before *Stage) *Stage {
	for _, s := range slices.Backward(f.Stages[:before.Index]) {
		if strings.EqualFold(s.name, name) && name != "" {
			return s
		}
	}
	for _, s := range f.Stages[:before.Index] {
		if name == strconv.Itoa(s.Index) {
			return s
		}
	}
	return nil
}
