package makefile

import (
	"path"
	"regexp"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/stamp"
)

var (
	assignment = regexp.MustCompile(
		`^((?:(?:export|override|private|unexport)\s+)*)([A-Za-z0-9_.\-/]+)\s*(\?=|::?:?=|\+=|!=|=)\s*(.*)$`)
	directive = regexp.MustCompile(
		`^(ifeq|ifneq|ifdef|ifndef|else|endif|include|-include|sinclude|define|endef|` +
			`export|unexport|vpath|undefine)\b\s*(.*)$`)
)

// variable is a variable of a Makefile.
type variable struct {
	text string
	// simple says that text is expanded.
	simple   bool
	at       finding.Place
	exported bool
}

// rule is a rule with its recipe.
type rule struct {
	targets, needs []string
	at             finding.Place
	recipe         []line
}

type line struct {
	text string
	at   finding.Place
}

// physical returns the lines of a file.
func physical(name, text string) []line {
	var all []line
	for i, l := range strings.Split(text, "\n") {
		all = append(all, line{l, finding.Place{File: name, Line: i + 1}})
	}
	return all
}

// logical returns the lines of a file, with continued lines joined. A recipe line keeps its
// backslashes, for the shell.
func logical(name, text string) []line {
	var all []line
	physical := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := 0; i < len(physical); i++ {
		at := finding.Place{File: name, Line: i + 1}
		joined := physical[i]
		recipe := strings.HasPrefix(joined, "\t")
		for strings.HasSuffix(joined, `\`) && !strings.HasSuffix(joined, `\\`) && i+1 < len(physical) {
			i++
			if recipe {
				joined += "\n" + strings.TrimPrefix(physical[i], "\t")
			} else {
				joined = strings.TrimRight(strings.TrimSuffix(joined, `\`), " \t") + " " +
					strings.TrimLeft(physical[i], " \t")
			}
		}
		all = append(all, line{joined, at})
	}
	return all
}

// parse reads one file into f.
func (f *File) parse(name, text string, depth int) {
	var current *rule
	var conditions []condition
	defining := ""
	for _, l := range logical(name, text) {
		if defining != "" {
			if d := directive.FindStringSubmatch(strings.TrimSpace(l.text)); d != nil && d[1] == "endef" {
				defining = ""
			} else {
				v := f.vars[defining]
				v.text += l.text + "\n"
				f.vars[defining] = v
			}
			continue
		}
		if strings.HasPrefix(l.text, "\t") && current != nil && all(conditions) {
			current.recipe = append(current.recipe, line{strings.TrimPrefix(l.text, "\t"), l.at})
			continue
		}
		bare := strings.TrimSpace(uncommented(l.text))
		if bare == "" {
			continue
		}
		if d := directive.FindStringSubmatch(bare); d != nil {
			if c, done := f.condition(d[1], d[2], conditions); done {
				conditions = c
				continue
			}
			if !all(conditions) {
				continue
			}
			switch d[1] {
			case "include", "-include", "sinclude":
				for _, file := range strings.Fields(f.expand(d[2], nil, 0)) {
					f.include(path.Join(path.Dir(name), file), depth)
				}
				continue
			case "define":
				fields := strings.Fields(d[2])
				if len(fields) > 0 {
					defining = fields[0]
					f.vars[defining] = variable{at: l.at}
				}
				continue
			case "export", "unexport":
				if !assignment.MatchString(bare) {
					f.export(strings.Fields(d[2]), d[1] == "export")
					continue
				}
			case "undefine":
				delete(f.vars, strings.TrimSpace(d[2]))
				continue
			case "vpath":
				continue
			}
		}
		if !all(conditions) {
			continue
		}
		if a := assignment.FindStringSubmatch(bare); a != nil {
			f.assign(f.vars, a, l.at)
			current = nil
			continue
		}
		if r, ok := f.rule(bare, l.at); ok {
			if r != nil {
				f.rules = append(f.rules, r)
			}
			current = r
		}
	}
}

// uncommented removes a comment.
func uncommented(text string) string {
	for i := 0; i < len(text); i++ {
		if text[i] == '#' && (i == 0 || text[i-1] != '\\') {
			return text[:i]
		}
	}
	return text
}

func (f *File) export(names []string, on bool) {
	if len(names) == 0 {
		f.exportAll = on
		return
	}
	for _, name := range names {
		v, ok := f.vars[name]
		if !ok {
			f.exportLater[name] = true
			continue
		}
		v.exported = on
		f.vars[name] = v
	}
}

// assign handles an assignment, whose parts are those of the pattern.
func (f *File) assign(vars map[string]variable, a []string, at finding.Place) {
	name, op, text := a[2], a[3], a[4]
	before, exists := vars[name]
	exported := strings.Contains(a[1], "export") && !strings.Contains(a[1], "unexport")
	v := variable{text: text, at: at, exported: exported || before.exported || f.exportLater[name]}
	if value, ok := f.set[name]; ok { // from the command line
		v.text, v.simple = value, true
		vars[name] = v
		return
	}
	switch op {
	case "?=":
		if _, ok := f.env[name]; ok || exists {
			return
		}
	case ":=", "::=", ":::=":
		v.text, v.simple = f.expand(text, nil, 0), true
	case "!=":
		v.text, v.simple = f.shell(text), true
	case "+=":
		if exists {
			v.at = before.at
			if before.simple {
				v.simple, text = true, f.expand(text, nil, 0)
			}
			v.text = strings.TrimSpace(before.text + " " + text)
		}
	}
	vars[name] = v
}

// rule reads the first line of a rule. It returns nil for the assignment of a variable to a
// target.
func (f *File) rule(text string, at finding.Place) (r *rule, ok bool) {
	colon := colonOf(text)
	if colon < 0 {
		return nil, false
	}
	left, right := text[:colon], strings.TrimPrefix(text[colon+1:], ":")
	targets := strings.Fields(f.expand(left, nil, 0))
	if a := assignment.FindStringSubmatch(strings.TrimSpace(right)); a != nil {
		for _, target := range targets {
			if f.targetVars[target] == nil {
				f.targetVars[target] = map[string]variable{}
			}
			f.assign(f.targetVars[target], a, at)
		}
		return nil, true
	}
	needs, recipe, has := strings.Cut(right, ";")
	r = &rule{targets: targets, at: at}
	if has {
		r.recipe = []line{{strings.TrimSpace(recipe), at}}
	}
	for _, need := range strings.Fields(strings.ReplaceAll(f.expand(needs, nil, 0), "|", " ")) {
		r.needs = append(r.needs, strings.TrimSuffix(need, ":"))
	}
	return r, true
}

// colonOf returns the index of the colon behind the targets, outside of $(…).
func colonOf(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		case ':':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// condition is an open ifeq and the like.
type condition struct{ now, ever bool }

func all(conditions []condition) bool {
	for _, c := range conditions {
		if !c.now {
			return false
		}
	}
	return true
}

// condition handles the directives of conditions. done is false for other directives.
func (f *File) condition(name, args string, open []condition) (now []condition, done bool) {
	switch name {
	case "ifeq", "ifneq", "ifdef", "ifndef":
		holds := f.holds(name, args)
		return append(open, condition{holds, holds}), true
	case "else":
		if len(open) == 0 {
			return open, true
		}
		last := &open[len(open)-1]
		last.now = !last.ever
		if d := directive.FindStringSubmatch(args); d != nil && last.now {
			last.now = f.holds(d[1], d[2])
		}
		last.ever = last.ever || last.now
		return open, true
	case "endif":
		if len(open) > 0 {
			open = open[:len(open)-1]
		}
		return open, true
	}
	return open, false
}

func (f *File) holds(name, args string) bool {
	args = strings.TrimSpace(args)
	switch name {
	case "ifdef", "ifndef":
		v, ok := f.vars[args]
		_, set := f.env[args]
		_, given := f.set[args]
		return (ok && v.text != "" || set || given) == (name == "ifdef")
	}
	var a, b string
	if inner, ok := strings.CutPrefix(args, "("); ok {
		inner = strings.TrimSuffix(inner, ")")
		comma := commaOf(inner)
		if comma < 0 {
			return false
		}
		a, b = inner[:comma], inner[comma+1:]
	} else {
		parts := strings.FieldsFunc(args, func(r rune) bool { return r == '"' || r == '\'' })
		switch len(parts) {
		case 3:
			a, b = parts[0], parts[2]
		case 2:
			a = parts[0] // ifeq "$(X)" ""
		default:
			return false
		}
	}
	a, b = strings.TrimSpace(f.expand(a, nil, 0)), strings.TrimSpace(f.expand(b, nil, 0))
	if !stamp.Known(a) || !stamp.Known(b) {
		return false
	}
	return (a == b) == (name == "ifeq")
}

// commaOf returns the index of the first comma outside of $(…).
func commaOf(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}
