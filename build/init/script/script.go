// Package script reads a shell script, such as a recipe line of a Makefile or a RUN instruction,
// and returns the commands that it would run. It runs nothing.
//
// Variables are followed as far as they are plain text. A command substitution and a variable that
// is set from outside become a template of Config.LDFlags where package stamp has one, and an
// unknown part otherwise. Both branches of an if, all cases, and each round of a for loop over
// plain words are read.
package script

import (
	"fmt"
	"maps"
	"path"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/thimble-build/thimble/build/init/stamp"
)

// Command is a command with its expanded words.
type Command struct {
	// Line is the line in the script, from 1.
	Line int
	// Text is what is written there, on one line.
	Text string
	// Dir is the folder in which it runs: clean, with slashes, relative to the start folder
	// of the Scope unless that is absolute.
	Dir string
	// Env are the variables that the script has set: exported, or in front of the command.
	Env map[string]string
	// Words are the expanded words. Words[0] is the program.
	Words []string
	// To is the file that its output is written to, "" if there is none.
	To string
}

// Scope is where a script runs.
type Scope struct {
	// Dir is the folder in which the script starts; "." if empty.
	Dir string
	// Lookup returns a variable of the environment. It may be nil.
	Lookup func(name string) (value string, ok bool)
	// Repository answers what commands in substitutions ask.
	Repository stamp.Repository
}

// Commands returns the commands of a script, in its order.
func Commands(text string, s Scope) ([]Command, error) {
	f, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil, fmt.Errorf("read shell commands: %w", err)
	}
	r := &reader{scope: s, text: text}
	r.statements(f.Stmts, &state{dir: path.Clean(s.Dir), vars: map[string]string{}, exported: map[string]string{}})
	return r.found, nil
}

// most is the limit for the rounds of a loop.
const most = 64

type reader struct {
	scope Scope
	text  string
	found []Command
}

// state is what a command changes for the next ones.
type state struct {
	dir            string
	vars, exported map[string]string
}

func (s *state) copy() *state {
	return &state{dir: s.dir, vars: maps.Clone(s.vars), exported: maps.Clone(s.exported)}
}

func (r *reader) statements(stmts []*syntax.Stmt, s *state) {
	for _, stmt := range stmts {
		r.statement(stmt, s)
	}
}

func (r *reader) statement(stmt *syntax.Stmt, s *state) {
	first := len(r.found)
	r.command(stmt.Cmd, s)
	for _, redirect := range stmt.Redirs {
		if redirect.Op != syntax.RdrOut && redirect.Op != syntax.AppOut && redirect.Op != syntax.RdrClob || redirect.Word.Lit() == "/dev/null" {
			continue
		}
		for i := first; i < len(r.found); i++ {
			r.found[i].To = r.word(redirect.Word, s)
		}
	}
}

func (r *reader) command(c syntax.Command, s *state) {
	switch c := c.(type) {
	case *syntax.CallExpr:
		r.call(c, s)
	case *syntax.BinaryCmd:
		r.statement(c.X, s)
		r.statement(c.Y, s)
	case *syntax.Subshell:
		r.statements(c.Stmts, s.copy())
	case *syntax.Block:
		r.statements(c.Stmts, s)
	case *syntax.IfClause:
		for ; c != nil; c = c.Else {
			r.statements(c.Cond, s)
			r.statements(c.Then, s)
		}
	case *syntax.CaseClause:
		for _, item := range c.Items {
			r.statements(item.Stmts, s)
		}
	case *syntax.WhileClause:
		r.statements(c.Cond, s)
		r.statements(c.Do, s)
	case *syntax.ForClause:
		r.loop(c, s)
	case *syntax.DeclClause:
		for _, a := range c.Args {
			if a.Name == nil {
				continue
			}
			if !a.Naked {
				s.vars[a.Name.Value] = r.assigned(a, s)
			}
			if value, ok := s.vars[a.Name.Value]; ok && c.Variant.Value == "export" {
				s.exported[a.Name.Value] = value
			}
		}
	case *syntax.TimeClause:
		if c.Stmt != nil {
			r.command(c.Stmt.Cmd, s)
		}
	}
}

func (r *reader) loop(c *syntax.ForClause, s *state) {
	iter, ok := c.Loop.(*syntax.WordIter)
	if !ok {
		r.statements(c.Do, s)
		return
	}
	items := r.fields(iter.Items, s)
	if len(items) == 0 || len(items) > most {
		items = []string{stamp.Unknown("$" + iter.Name.Value)}
	}
	for _, item := range items {
		s.vars[iter.Name.Value] = item
		r.statements(c.Do, s)
	}
}

func (r *reader) assigned(a *syntax.Assign, s *state) string {
	if a.Value == nil {
		return ""
	}
	return r.word(a.Value, s)
}

func (r *reader) call(c *syntax.CallExpr, s *state) {
	if len(c.Args) == 0 {
		for _, a := range c.Assigns {
			value := r.assigned(a, s)
			if a.Append {
				value = s.vars[a.Name.Value] + value
			}
			s.vars[a.Name.Value] = value
			if _, ok := s.exported[a.Name.Value]; ok {
				s.exported[a.Name.Value] = value
			}
		}
		return
	}
	env := maps.Clone(s.exported)
	for _, a := range c.Assigns {
		env[a.Name.Value] = r.assigned(a, s)
	}
	words := r.fields(c.Args, s)
	words, env = unwrapped(words, env)
	if len(words) == 0 {
		return
	}
	switch {
	case words[0] == "cd" || words[0] == "pushd":
		if len(words) > 1 {
			s.dir = join(s.dir, words[len(words)-1])
		}
		return
	case (words[0] == "sh" || words[0] == "bash" || words[0] == "/bin/sh" || words[0] == "/bin/bash") && len(words) > 2 && strings.HasPrefix(words[1], "-") && strings.HasSuffix(words[1], "c"):
		inner := &reader{scope: r.scope, text: words[2]}
		if f, err := syntax.NewParser().Parse(strings.NewReader(words[2]), ""); err == nil {
			in := s.copy()
			maps.Copy(in.vars, env)
			inner.statements(f.Stmts, in)
			for _, found := range inner.found {
				found.Line = int(c.Pos().Line())
				r.found = append(r.found, found)
			}
		}
		return
	}
	r.found = append(r.found, Command{
		Line: int(c.Pos().Line()), Text: r.source(c), Dir: s.dir, Env: env, Words: words,
	})
}

// unwrapped removes programs that only run another one.
func unwrapped(words []string, env map[string]string) ([]string, map[string]string) {
	for len(words) > 0 {
		name, value, assignment := strings.Cut(words[0], "=")
		switch {
		case words[0] == "env" || words[0] == "sudo" || words[0] == "time" || words[0] == "nice" || words[0] == "exec" || words[0] == "command" || words[0] == "nohup" || words[0] == "xx-verify":
		case assignment && !strings.HasPrefix(name, "-") && !strings.Contains(name, "/"):
			env[name] = value
		default:
			return words, env
		}
		words = words[1:]
	}
	return words, env
}

// source returns the text of a command on one line.
func (r *reader) source(c *syntax.CallExpr) string {
	from, to := int(c.Pos().Offset()), int(c.End().Offset())
	if from > to || to > len(r.text) {
		return ""
	}
	return stamp.Show(strings.Join(strings.Fields(strings.ReplaceAll(r.text[from:to], "\\\n", " ")), " "))
}

func join(dir, to string) string {
	if path.IsAbs(to) {
		return path.Clean(to)
	}
	return path.Join(dir, to)
}
