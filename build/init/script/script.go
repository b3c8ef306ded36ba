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
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/thimble-build/thimble/build/init/stamp"
)

// Command is a command with its expanded words.
type Command struct {
	// File is the script that contains the command, relative to the root of the repository; ""
	// for the one that was given. Line is the line in it, from 1.
	File string
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
	// Read returns a script of the repository that is called, relative to the root. It may be
	// nil: then none is read.
	Read func(name string) (text string, ok bool)
	// Repository answers what commands in substitutions ask.
	Repository stamp.Repository
}

// Commands returns the commands of a script, in its order. A script of the repository that it
// calls is followed, and so are its functions.
func Commands(text string, s Scope) ([]Command, error) {
	f, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil, fmt.Errorf("read shell commands: %w", err)
	}
	r := &reader{scope: s, text: text, run: &run{functions: map[string]function{}}}
	r.statements(f.Stmts, &state{dir: path.Clean(s.Dir), vars: map[string]string{},
		exported: map[string]string{}, arrays: map[string][]string{}})
	return r.run.found, nil
}

// The limits for rounds of a loop, for scripts and functions that call each other, and for all
// commands.
const (
	most     = 64
	deepest  = 24
	commands = 20_000
)

// reader reads the text of one script.
type reader struct {
	scope Scope
	text  string
	file  string
	run   *run
}

// run is shared by the scripts that call each other.
type run struct {
	found     []Command
	functions map[string]function
	depth     int
	// calls are the places of the calls of the functions that run.
	calls []Command
}

// function is a shell function, and the script that declares it.
type function struct {
	body *syntax.Stmt
	in   *reader
}

// state is what a command changes for the next ones.
type state struct {
	dir            string
	vars, exported map[string]string
	arrays         map[string][]string
}

func (s *state) copy() *state {
	return &state{dir: s.dir, vars: maps.Clone(s.vars), exported: maps.Clone(s.exported),
		arrays: maps.Clone(s.arrays)}
}

func (r *reader) statements(stmts []*syntax.Stmt, s *state) {
	for _, stmt := range stmts {
		r.statement(stmt, s)
	}
}

func (r *reader) statement(stmt *syntax.Stmt, s *state) {
	first := len(r.run.found)
	r.command(stmt.Cmd, s)
	for _, redirect := range stmt.Redirs {
		if redirect.Op != syntax.RdrOut && redirect.Op != syntax.AppOut && redirect.Op != syntax.RdrClob ||
			redirect.Word.Lit() == "/dev/null" {
			continue
		}
		for i := first; i < len(r.run.found); i++ {
			r.run.found[i].To = r.word(redirect.Word, s)
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
				r.assign(a, s)
			}
			if value, ok := s.vars[a.Name.Value]; ok && c.Variant.Value == "export" {
				s.exported[a.Name.Value] = value
			}
		}
	case *syntax.FuncDecl:
		r.run.functions[c.Name.Value] = function{c.Body, r}
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

// assign sets a variable, or an array.
func (r *reader) assign(a *syntax.Assign, s *state) {
	name := a.Name.Value
	value := ""
	switch {
	case a.Array != nil:
		var words []*syntax.Word
		for _, e := range a.Array.Elems {
			words = append(words, e.Value)
		}
		elements := r.fields(words, s)
		if a.Append {
			elements = slices.Concat(s.arrays[name], elements)
		}
		s.arrays[name] = elements
		if len(elements) > 0 {
			value = elements[0]
		}
	case a.Index != nil:
		return
	case a.Value != nil:
		value = r.word(a.Value, s)
		if a.Append {
			value = s.vars[name] + value
		}
	}
	s.vars[name] = value
	if _, ok := s.exported[name]; ok {
		s.exported[name] = value
	}
}

func (r *reader) call(c *syntax.CallExpr, s *state) {
	if len(c.Args) == 0 {
		for _, a := range c.Assigns {
			r.assign(a, s)
		}
		return
	}
	env := maps.Clone(s.exported)
	for _, a := range c.Assigns {
		if a.Value != nil {
			env[a.Name.Value] = r.word(a.Value, s)
		} else {
			env[a.Name.Value] = ""
		}
	}
	r.dispatch(c, r.fields(c.Args, s), env, s)
}

// dispatch runs a command with expanded words: a function, a script of the repository, or a
// program.
func (r *reader) dispatch(c *syntax.CallExpr, words []string, env map[string]string, s *state) {
	words, env = unwrapped(words, env)
	if len(words) == 0 || r.run.depth > deepest || len(r.run.found) > commands {
		return
	}
	r.run.depth++
	defer func() { r.run.depth-- }()
	if f, ok := r.run.functions[words[0]]; ok {
		before := s.arrays["@"]
		s.arguments(words[1:])
		r.run.calls = append(r.run.calls, r.place(c))
		f.in.command(f.body.Cmd, s)
		r.run.calls = r.run.calls[:len(r.run.calls)-1]
		s.arguments(before)
		return
	}
	switch {
	case words[0] == "cd" || words[0] == "pushd":
		if len(words) > 1 {
			s.dir = join(s.dir, words[len(words)-1])
		}
		return
	case words[0] == "." || words[0] == "source":
		if len(words) > 1 {
			r.follow(words[1], words[1:], nil, s)
		}
		return
	case isShell(words[0]) && len(words) > 2 && strings.HasPrefix(words[1], "-") &&
		strings.HasSuffix(words[1], "c"):
		inner := &reader{scope: r.scope, text: words[2],
			run: &run{functions: map[string]function{}, depth: r.run.depth}}
		if f, err := syntax.NewParser().Parse(strings.NewReader(words[2]), ""); err == nil {
			in := s.copy()
			maps.Copy(in.vars, env)
			inner.statements(f.Stmts, in)
			for _, found := range inner.run.found {
				found.File, found.Line = r.file, int(c.Pos().Line())
				r.run.found = append(r.run.found, found)
			}
		}
		return
	case isShell(words[0]) && len(words) > 1 && r.follow(words[1], words[1:], env, s.copy()):
		return
	case strings.Contains(words[0], "/") && r.follow(words[0], words, env, s.copy()):
		return
	}
	found := r.place(c)
	found.Dir, found.Env, found.Words = s.dir, env, words
	r.run.found = append(r.run.found, found)
}

// place returns a Command with only its place. A function that runs its arguments, as run() {
// "$@"; }, has the place of its call.
func (r *reader) place(c *syntax.CallExpr) Command {
	if n := len(r.run.calls); n > 0 && passes(c.Args[0]) {
		return r.run.calls[n-1]
	}
	return Command{File: r.file, Line: int(c.Pos().Line()), Text: r.source(c)}
}

func isShell(program string) bool {
	base := path.Base(program)
	return base == "sh" || base == "bash" || base == "dash" || base == "ash"
}

// arguments sets $1, $2 and so on.
func (s *state) arguments(words []string) {
	s.arrays["@"] = words
	s.vars["@"] = strings.Join(words, " ")
	for i := range 9 {
		delete(s.vars, strconv.Itoa(i+1))
		if i < len(words) {
			s.vars[strconv.Itoa(i+1)] = words[i]
		}
	}
}

// follow reads a script of the repository. words are its name and its arguments.
func (r *reader) follow(name string, words []string, env map[string]string, s *state) bool {
	if r.scope.Read == nil || !stamp.Known(name) {
		return false
	}
	at := join(s.dir, name)
	text, ok := r.scope.Read(at)
	if !ok || !strings.HasSuffix(name, ".sh") && !shebang.MatchString(text) {
		return false
	}
	f, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return false
	}
	maps.Copy(s.vars, env)
	maps.Copy(s.exported, env)
	if len(words) > 1 || env != nil {
		s.arguments(words[1:])
	}
	(&reader{scope: r.scope, text: text, file: at, run: r.run}).statements(f.Stmts, s)
	return true
}

var shebang = regexp.MustCompile(`^#!.*\b(sh|bash|dash)\b`)

// wrappers are programs that only run another one.
var wrappers = []string{"env", "sudo", "time", "nice", "exec", "command", "nohup", "xx-verify"}

// unwrapped removes programs that only run another one.
func unwrapped(words []string, env map[string]string) ([]string, map[string]string) {
	for len(words) > 0 {
		name, value, assignment := strings.Cut(words[0], "=")
		switch {
		case slices.Contains(wrappers, words[0]):
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
