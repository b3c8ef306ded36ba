package entrypoint

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/thimble-build/thimble/build/init/dockerfile/state"
)

// rest stands for "$@" in the words of a script.
const rest = "\x00@"

// simple is what a script does that only sets variables and starts one program.
type simple struct {
	words []string
	// vars are the variables that it sets for the program.
	vars []state.Variable
	// fixed are variables of the container that were replaced by their present value.
	fixed []string
}

// simpleScript reads a script that does nothing but set variables and start one program. env are
// the variables of the image. why says what else it does.
func simpleScript(text string, env map[string]string) (s simple, why string) {
	f, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return s, "it is no shell script"
	}
	x := &scriptReader{env: map[string]string{}}
	for name, value := range env {
		x.env[name] = value
	}
	for _, stmt := range f.Stmts {
		if x.why == "" && len(s.words) > 0 && !harmless(stmt) {
			return s, "it goes on after it has started the program"
		}
		x.statement(stmt, &s)
		if x.why != "" {
			return s, x.why
		}
	}
	if len(s.words) == 0 {
		return s, "it starts no program"
	}
	return s, ""
}

type scriptReader struct {
	env map[string]string
	why string
}

func harmless(stmt *syntax.Stmt) bool {
	c, ok := stmt.Cmd.(*syntax.CallExpr)
	return ok && len(c.Args) > 0 && c.Args[0].Lit() == "exit"
}

func (x *scriptReader) statement(stmt *syntax.Stmt, s *simple) {
	if stmt.Negated || stmt.Background {
		x.why = "it runs a program in the background"
		return
	}
	for _, redirect := range stmt.Redirs {
		if to := redirect.Word.Lit(); to != "/dev/null" && to != "1" && to != "2" {
			x.why = "it redirects output"
			return
		}
	}
	switch c := stmt.Cmd.(type) {
	case *syntax.DeclClause:
		for _, a := range c.Args {
			if a.Name == nil || a.Naked {
				if a.Name != nil && c.Variant.Value == "export" && x.env[a.Name.Value] != "" {
					s.vars = append(s.vars, state.Variable{Name: a.Name.Value, Value: x.env[a.Name.Value]})
				}
				continue
			}
			value := x.word(a.Value, s)
			x.env[a.Name.Value] = value
			s.vars = append(s.vars, state.Variable{Name: a.Name.Value, Value: value})
		}
	case *syntax.CallExpr:
		x.call(c, s)
	case *syntax.BinaryCmd: // prog || exit 1
		y, ok := c.Y.Cmd.(*syntax.CallExpr)
		if c.Op == syntax.OrStmt && ok && len(y.Args) > 0 &&
			(y.Args[0].Lit() == "exit" || y.Args[0].Lit() == "kill" || y.Args[0].Lit() == "false") {
			x.statement(c.X, s)
			return
		}
		if c.Op == syntax.AndStmt {
			x.statement(c.X, s)
			if x.why == "" && len(s.words) == 0 {
				x.statement(c.Y, s)
				return
			}
		}
		x.why = "it runs several programs"
	default:
		x.why = "it decides what to do when the container starts"
	}
}

func (x *scriptReader) call(c *syntax.CallExpr, s *simple) {
	if len(c.Args) == 0 {
		for _, a := range c.Assigns {
			x.env[a.Name.Value] = x.word(a.Value, s)
		}
		return
	}
	for _, a := range c.Assigns {
		s.vars = append(s.vars, state.Variable{Name: a.Name.Value, Value: x.word(a.Value, s)})
	}
	var words []string
	for _, w := range c.Args {
		if quoted, ok := w.Parts[0].(*syntax.DblQuoted); ok && len(w.Parts) == 1 && len(quoted.Parts) == 1 &&
			isRest(quoted.Parts[0]) || isRest(w.Parts[0]) {
			words = append(words, rest)
			continue
		}
		word := x.word(w, s)
		if _, plain := w.Parts[0].(*syntax.ParamExp); plain && len(w.Parts) == 1 {
			words = append(words, strings.Fields(word)...)
			continue
		}
		words = append(words, word)
	}
	if x.why != "" || len(words) == 0 {
		return
	}
	switch words[0] {
	case "set", "umask", "ulimit", "shopt", "trap", "echo", "printf", ":", "true":
		return
	case "cd":
		x.why = "it changes the folder"
		return
	case "exec":
		words = words[1:]
	}
	switch base := path.Base(strings.Join(words[:min(1, len(words))], "")); base {
	case "mkdir", "chown", "chmod", "cp", "mv", "ln", "rm", "sed", "envsubst", "sleep", "touch", "cat",
		"source", ".", "usermod", "groupmod", "adduser", "update-ca-certificates":
		x.why = "it runs " + base + " before the program"
		return
	}
	s.words = words
}

func isRest(part syntax.WordPart) bool {
	p, ok := part.(*syntax.ParamExp)
	return ok && p.Exp == nil && (p.Param.Value == "@" || p.Param.Value == "*")
}

// word expands a word with the variables of the image.
func (x *scriptReader) word(w *syntax.Word, s *simple) string {
	if w == nil {
		return ""
	}
	var b strings.Builder
	for _, part := range w.Parts {
		x.part(&b, part, s)
	}
	return b.String()
}

func (x *scriptReader) part(b *strings.Builder, part syntax.WordPart, s *simple) {
	switch p := part.(type) {
	case *syntax.Lit:
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(p.Value, "\\\n", ""), `\`, ""))
	case *syntax.SglQuoted:
		b.WriteString(p.Value)
	case *syntax.DblQuoted:
		for _, inner := range p.Parts {
			x.part(b, inner, s)
		}
	case *syntax.ParamExp:
		name := p.Param.Value
		value, ok := x.env[name]
		switch {
		case p.Exp != nil && (p.Exp.Op == syntax.DefaultUnsetOrNull || p.Exp.Op == syntax.DefaultUnset):
			if value == "" {
				value = x.word(p.Exp.Word, s)
			}
		case p.Exp != nil || p.Repl != nil || p.Slice != nil || p.Length:
			x.why = "it computes with $" + name
			return
		case !ok:
			x.why = "it needs the variable $" + name + " when the container starts"
			return
		}
		if !slices.Contains(s.fixed, name) {
			s.fixed = append(s.fixed, name)
		}
		b.WriteString(value)
	default:
		x.why = "it runs a command to get an argument"
	}
}
