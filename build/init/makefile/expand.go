package makefile

import (
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/init/stamp"
)

// deepest is the limit for variables that contain variables.
const deepest = 40

// expand expands the variables and functions in a text. own are the automatic variables and
// those of a target. What it cannot expand is an unknown part of the result.
func (f *File) expand(text string, own map[string]variable, depth int) string {
	if depth > deepest {
		return stamp.Unknown(text)
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch text[i] {
		case '$':
			b.WriteByte('$')
		case '(', '{':
			end := closing(text, i)
			if end < 0 {
				b.WriteString(text[i-1:])
				return b.String()
			}
			b.WriteString(f.reference(text[i+1:end], own, depth))
			i = end
		default:
			b.WriteString(f.lookup(text[i:i+1], own, depth))
		}
	}
	return b.String()
}

// closing returns the index of the bracket that closes the one at i.
func closing(text string, i int) int {
	open, close := text[i], byte(')')
	if open == '{' {
		close = '}'
	}
	depth := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case open:
			depth++
		case close:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// reference expands what is between the brackets of $(…).
func (f *File) reference(inner string, own map[string]variable, depth int) string {
	if name, args, ok := strings.Cut(inner, " "); ok {
		if result, known := f.call(name, args, own, depth); known {
			return result
		}
	}
	if name, rest, ok := strings.Cut(inner, ":"); ok && strings.Contains(rest, "=") { // $(VAR:%.c=%.o)
		from, to, _ := strings.Cut(rest, "=")
		value := f.lookup(f.expand(name, own, depth+1), own, depth)
		if from == "v%" && to == "%" {
			return each(value, stamp.WithoutV)
		}
		if !strings.Contains(from, "%") {
			from, to = "%"+from, "%"+to
		}
		return patsubst(f.expand(from, own, depth+1), f.expand(to, own, depth+1), value)
	}
	return f.lookup(f.expand(inner, own, depth+1), own, depth)
}

// lookup returns the value of a variable; an undefined one is empty, unless its name says that
// a release sets it.
func (f *File) lookup(name string, own map[string]variable, depth int) string {
	v, ok := own[name]
	if !ok {
		if value, given := f.set[name]; given {
			return stamp.Value(name, value)
		}
		v, ok = f.vars[name]
	}
	if !ok {
		if value, set := f.env[name]; set {
			return stamp.Value(name, value)
		}
		switch name {
		case "MAKE":
			return "make"
		case "CURDIR", "PWD":
			return "."
		case "GO":
			return "go"
		}
		if t, ok := stamp.Name(name); ok {
			return t
		}
		return ""
	}
	value := v.text
	if !v.simple {
		value = f.expand(value, own, depth+1)
	}
	if strings.TrimSpace(value) != "" && stamp.Placeholder(strings.TrimSpace(value)) {
		if t, ok := stamp.Name(name); ok {
			return t
		}
	}
	return value
}

// call expands a function. known is false if there is no function of that name.
func (f *File) call(name, args string, own map[string]variable, depth int) (result string, known bool) {
	list := arguments(args)
	expanded := func(i int) string {
		if i >= len(list) {
			return ""
		}
		return f.expand(list[i], own, depth+1)
	}
	words := func(i int) []string { return strings.Fields(expanded(i)) }
	switch name {
	case "shell":
		return f.shell(f.expand(args, own, depth+1)), true
	case "strip":
		return strings.Join(words(0), " "), true
	case "subst":
		from, to, text := expanded(0), expanded(1), expanded(2)
		if from == "v" && to == "" {
			return stamp.WithoutV(text), true
		}
		return strings.ReplaceAll(text, from, to), true
	case "patsubst":
		from, to := strings.TrimSpace(expanded(0)), strings.TrimSpace(expanded(1))
		if from == "v%" && to == "%" {
			return each(expanded(2), stamp.WithoutV), true
		}
		return patsubst(from, to, expanded(2)), true
	case "if":
		if strings.TrimSpace(expanded(0)) != "" {
			return expanded(1), true
		}
		return expanded(2), true
	case "or":
		for i := range list {
			if v := strings.TrimSpace(expanded(i)); v != "" {
				return v, true
			}
		}
		return "", true
	case "and":
		last := ""
		for i := range list {
			if last = strings.TrimSpace(expanded(i)); last == "" {
				return "", true
			}
		}
		return last, true
	case "notdir":
		return each(expanded(0), path.Base), true
	case "dir":
		return each(expanded(0), func(p string) string { return path.Dir(p) + "/" }), true
	case "basename":
		return each(expanded(0), func(p string) string { return strings.TrimSuffix(p, path.Ext(p)) }), true
	case "abspath", "realpath":
		return each(expanded(0), path.Clean), true
	case "addprefix":
		prefix := expanded(0)
		return each(expanded(1), func(p string) string { return prefix + p }), true
	case "addsuffix":
		suffix := expanded(0)
		return each(expanded(1), func(p string) string { return p + suffix }), true
	case "firstword", "lastword":
		w := words(0)
		if len(w) == 0 {
			return "", true
		}
		if name == "firstword" {
			return w[0], true
		}
		return w[len(w)-1], true
	case "sort":
		return strings.Join(words(0), " "), true
	case "filter", "filter-out":
		return f.filtered(words(0), words(1), name == "filter"), true
	case "foreach":
		var all []string
		if len(list) == 3 {
			for _, word := range words(1) {
				inner := map[string]variable{}
				for k, v := range own {
					inner[k] = v
				}
				inner[strings.TrimSpace(expanded(0))] = variable{text: word, simple: true}
				all = append(all, f.expand(list[2], inner, depth+1))
			}
		}
		return strings.Join(all, " "), true
	case "info", "warning", "error", "eval":
		return "", true
	case "wildcard":
		return f.wildcard(expanded(0)), true
	case "value", "call", "word", "wordlist", "words", "origin", "flavor", "file", "findstring",
		"join", "suffix", "guile":
		return stamp.Unknown("$(" + name + " " + args + ")"), true
	}
	return "", false
}

// wildcard returns the names of files if all of them exist. The repository's own .git does. Of
// patterns and folders nothing is known.
func (f *File) wildcard(names string) string {
	for _, name := range strings.Fields(names) {
		if _, ok := f.read(name); !ok && name != ".git" && name != ".git/HEAD" {
			return stamp.Unknown("$(wildcard " + names + ")")
		}
	}
	return names
}

func (f *File) filtered(patterns, words []string, keep bool) string {
	var all []string
	for _, w := range words {
		matches := false
		for _, p := range patterns {
			before, after, wild := strings.Cut(p, "%")
			matches = matches || p == w || wild && strings.HasPrefix(w, before) && strings.HasSuffix(w, after)
		}
		if matches == keep {
			all = append(all, w)
		}
	}
	return strings.Join(all, " ")
}

// shell translates $(shell …) without running it.
func (f *File) shell(script string) string {
	script = strings.TrimSpace(script)
	if t, ok := stamp.Command(stamp.Show(script), f.repo); ok {
		return t
	}
	return stamp.Unknown("$(shell " + script + ")")
}

// arguments splits the arguments of a function.
func arguments(text string) []string {
	var all []string
	for {
		comma := commaOf(text)
		if comma < 0 {
			return append(all, text)
		}
		all = append(all, text[:comma])
		text = text[comma+1:]
	}
}

func each(text string, change func(string) string) string {
	words := strings.Fields(text)
	for i, w := range words {
		words[i] = change(w)
	}
	return strings.Join(words, " ")
}

func patsubst(from, to, text string) string {
	before, after, wild := strings.Cut(from, "%")
	return each(text, func(w string) string {
		if !wild {
			if w == from {
				return to
			}
			return w
		}
		if !strings.HasPrefix(w, before) || !strings.HasSuffix(w, after) || len(w) < len(before)+len(after) {
			return w
		}
		return strings.Replace(to, "%", w[len(before):len(w)-len(after)], 1)
	})
}
