package script

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/thimble-build/thimble/build/init/stamp"
)

// fields returns the expanded words. Only what is not quoted is split at spaces. A word that
// consists only of an unset variable without quotes is no word.
func (r *reader) fields(words []*syntax.Word, s *state) []string {
	var all []string
	for _, w := range words {
		var field strings.Builder
		quoted, any := false, false
		if elements, ok := list(w, s); ok {
			all = append(all, elements...)
			continue
		}
		for _, part := range w.Parts {
			value := r.part(part, s, false)
			switch part.(type) {
			case *syntax.ParamExp, *syntax.CmdSubst:
				pieces := strings.Fields(value)
				for i, piece := range pieces {
					if i > 0 {
						all = append(all, field.String())
						field.Reset()
					}
					field.WriteString(piece)
				}
				any = any || stamp.Known(value) && value != ""
			case *syntax.SglQuoted, *syntax.DblQuoted:
				field.WriteString(value)
				quoted = true
			default:
				field.WriteString(value)
				any = true
			}
		}
		if quoted || any {
			all = append(all, field.String())
		}
	}
	return all
}

// list returns the elements of a word that is "$@" or "${array[@]}".
func list(w *syntax.Word, s *state) (elements []string, ok bool) {
	p := only(w)
	if p == nil || p.Length || p.Exp != nil || p.Repl != nil || p.Slice != nil || !passes(w) && !every(p) {
		return nil, false
	}
	elements, ok = s.arrays[p.Param.Value]
	return elements, ok
}

// only returns the variable that a word consists of, nil for other words.
func only(w *syntax.Word) *syntax.ParamExp {
	if len(w.Parts) != 1 {
		return nil
	}
	part := w.Parts[0]
	if q, ok := part.(*syntax.DblQuoted); ok && len(q.Parts) == 1 {
		part = q.Parts[0]
	}
	p, _ := part.(*syntax.ParamExp)
	return p
}

// passes reports whether a word is "$@".
func passes(w *syntax.Word) bool {
	p := only(w)
	return p != nil && p.Param.Value == "@"
}

// every reports whether an expansion is of all elements of an array.
func every(p *syntax.ParamExp) bool {
	w, ok := p.Index.(*syntax.Word)
	return ok && (w.Lit() == "@" || w.Lit() == "*")
}

// word returns an expanded word that is not split.
func (r *reader) word(w *syntax.Word, s *state) string {
	var b strings.Builder
	for _, part := range w.Parts {
		b.WriteString(r.part(part, s, false))
	}
	return b.String()
}

func (r *reader) part(part syntax.WordPart, s *state, quoted bool) string {
	switch p := part.(type) {
	case *syntax.Lit:
		return unescaped(p.Value, quoted)
	case *syntax.SglQuoted:
		return p.Value
	case *syntax.DblQuoted:
		var b strings.Builder
		for _, inner := range p.Parts {
			b.WriteString(r.part(inner, s, true))
		}
		return b.String()
	case *syntax.ParamExp:
		return r.parameter(p, s)
	case *syntax.CmdSubst:
		text := r.between(p)
		if t, ok := stamp.Command(text, r.scope.Repository); ok {
			return t
		}
		return stamp.Unknown("$(" + strings.Join(strings.Fields(text), " ") + ")")
	}
	return stamp.Unknown(r.between(part))
}

// between returns the source of a part; of a command substitution, the commands in it.
func (r *reader) between(n syntax.Node) string {
	from, to := int(n.Pos().Offset()), int(n.End().Offset())
	if from > to || to > len(r.text) {
		return ""
	}
	text := r.text[from:to]
	if _, ok := n.(*syntax.CmdSubst); ok {
		text = strings.TrimSuffix(strings.TrimPrefix(text, "$("), ")")
		text = strings.Trim(text, "`")
	}
	return strings.ReplaceAll(text, "\\\n", " ")
}

// unescaped removes the backslashes that a shell removes.
func unescaped(text string, quoted bool) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			if next := text[i+1]; next == '\n' {
				i++
				continue
			} else if !quoted || strings.IndexByte("$`\"\\", next) >= 0 {
				i++
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func (r *reader) parameter(p *syntax.ParamExp, s *state) string {
	name := p.Param.Value
	written := stamp.Unknown("${" + name + "}")
	if elements, ok := s.arrays[name]; ok && every(p) && p.Exp == nil && !p.Length {
		return strings.Join(elements, " ")
	}
	if p.Length || p.Width || p.Index != nil || p.Excl {
		return written
	}
	value, ok := r.variable(name, s)
	switch {
	case p.Exp != nil:
		var word string
		if p.Exp.Word != nil {
			word = r.word(p.Exp.Word, s)
		}
		switch p.Exp.Op {
		case syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull:
			if !ok || value == "" {
				return stamp.Value(name, word)
			}
			return value
		case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
			if ok && value != "" {
				return word
			}
			return ""
		case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
			if ok && value != "" {
				return value
			}
			return named(name, written)
		case syntax.RemSmallPrefix, syntax.RemLargePrefix:
			if !ok || value == "" {
				value = named(name, written)
			}
			if word == "v" {
				return stamp.WithoutV(value)
			}
			return written
		}
		return written
	case p.Repl != nil:
		return written
	case p.Slice != nil:
		if ok && value == "{{.Commit}}" {
			return "{{.ShortCommit}}"
		}
		return written
	case !ok:
		return named(name, written)
	}
	return value
}

// named returns the template for a variable that is set from outside.
func named(name, otherwise string) string {
	if t, ok := stamp.Name(name); ok {
		return t
	}
	return otherwise
}

func (r *reader) variable(name string, s *state) (string, bool) {
	if value, ok := s.vars[name]; ok {
		return value, true
	}
	if name == "PWD" {
		return s.dir, true
	}
	if r.scope.Lookup != nil {
		if value, ok := r.scope.Lookup(name); ok {
			if stamp.Placeholder(value) {
				if t, ok := stamp.Name(name); ok {
					return t, true
				}
			}
			return value, true
		}
	}
	return "", false
}
