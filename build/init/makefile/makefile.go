// Package makefile reads a Makefile as far as init needs it: which commands the recipes would
// run, with the variables followed as far as they are plain.
//
// It never runs make, a recipe or $(shell …). A $(shell …) that package stamp knows, such as "git
// describe", becomes a template of Config.LDFlags. Conditions are decided with what stands in
// the file; an undefined variable is empty. Functions of GNU make that need the file system or
// another definition ($(wildcard), $(call)) are unknown.
package makefile

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/script"
	"github.com/thimble-build/thimble/build/init/stamp"
)

// Options say where a Makefile stands.
type Options struct {
	// Read returns the text of a file, relative to the root of the repository.
	Read func(name string) (string, bool)
	// Env are variables of the environment, and Set those of make's command line.
	Env, Set map[string]string
	// Repository answers what commands in $(shell …) ask.
	Repository stamp.Repository
}

// File is a Makefile that was read.
type File struct {
	// Name is relative to the root of the repository. Dir is the folder that it stands in.
	Name, Dir string

	vars        map[string]variable
	targetVars  map[string]map[string]variable
	rules       []*rule
	exportAll   bool
	exportLater map[string]bool
	env, set    map[string]string
	repo        stamp.Repository
	read        func(string) (string, bool)
	lines       []line
	// unread are recipe lines about Go that are no shell commands for init.
	unread []line
}

// Command is a command of a recipe.
type Command struct {
	script.Command
	finding.Place
	// Target is the target of the rule.
	Target string
}

// Parse reads a Makefile. Included files are read too. ok is false if there is no such file.
func Parse(name string, o Options) (f *File, ok bool) {
	text, ok := o.Read(name)
	if !ok {
		return nil, false
	}
	dir := "."
	if i := strings.LastIndex(name, "/"); i >= 0 {
		dir = name[:i]
	}
	f = &File{
		Name: name, Dir: dir, vars: map[string]variable{}, targetVars: map[string]map[string]variable{},
		exportLater: map[string]bool{},
		env:         o.Env, set: o.Set, repo: o.Repository, read: o.Read,
	}
	f.lines = physical(name, text)
	f.parse(name, text, 0)
	return f, true
}

// include reads an included file, if there is one.
func (f *File) include(name string, depth int) {
	if depth > 8 || !stamp.Known(name) {
		return
	}
	if text, ok := f.read(name); ok {
		f.lines = append(f.lines, physical(name, text)...)
		f.parse(name, text, depth+1)
	}
}

// special are targets that make knows, such as .PHONY.
var special = regexp.MustCompile(`^\.[A-Z_]+$`)

// Targets returns the names of all targets, in their order.
func (f *File) Targets() []string {
	var all []string
	for _, r := range f.rules {
		for _, t := range r.targets {
			if !special.MatchString(t) && !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// All returns the commands of all recipes, in their order.
func (f *File) All() []Command {
	var all []Command
	for _, r := range f.rules {
		for _, target := range r.targets {
			if special.MatchString(target) {
				continue
			}
			all = append(all, f.recipe(r, target)...)
			if strings.Contains(target, "%") {
				break
			}
		}
	}
	return all
}

// Run returns the commands that make would run for these targets, with those of what they need
// first. Without targets it takes the first one.
func (f *File) Run(targets ...string) []Command {
	if len(targets) == 0 {
		if v, ok := f.vars[".DEFAULT_GOAL"]; ok {
			targets = strings.Fields(f.expand(v.text, nil, 0))
		} else if all := f.Targets(); len(all) > 0 {
			targets = all[:1]
		}
	}
	return f.run(targets, map[string]bool{})
}

func (f *File) run(targets []string, done map[string]bool) []Command {
	var all []Command
	for _, target := range targets {
		if done[target] {
			continue
		}
		done[target] = true
		var commands []Command
		for _, r := range f.rules {
			if !slices.Contains(r.targets, target) {
				continue
			}
			all = append(all, f.run(r.needs, done)...)
			commands = append(commands, f.recipe(r, target)...)
		}
		for _, c := range commands {
			if more, ok := submake(c); ok {
				all = append(all, f.run(more, done)...)
				continue
			}
			all = append(all, c)
		}
	}
	return all
}

// submake returns the targets of a "$(MAKE) target" for the same Makefile.
func submake(c Command) ([]string, bool) {
	if c.Words[0] != "make" && c.Words[0] != "gmake" {
		return nil, false
	}
	var targets []string
	for _, w := range c.Words[1:] {
		switch {
		case w == "-C" || w == "-f" || w == "--directory":
			return nil, false
		case strings.HasPrefix(w, "-"), strings.Contains(w, "="):
		default:
			targets = append(targets, w)
		}
	}
	return targets, len(targets) > 0
}

// recipe returns the commands of a rule for one of its targets.
func (f *File) recipe(r *rule, target string) []Command {
	own := map[string]variable{}
	maps.Copy(own, f.targetVars[target])
	automatic := func(name, value string) { own[name] = variable{text: value, simple: true} }
	automatic("@", target)
	automatic("@F", target[strings.LastIndex(target, "/")+1:])
	automatic("@D", ".")
	automatic("^", strings.Join(r.needs, " "))
	automatic("?", strings.Join(r.needs, " "))
	automatic("<", "")
	if len(r.needs) > 0 {
		automatic("<", r.needs[0])
	}
	automatic("*", stamp.Unknown("$*"))
	exported := f.exports(own)
	scope := script.Scope{Dir: f.Dir, Repository: f.repo, Read: f.read,
		Lookup: func(name string) (string, bool) {
			value, ok := exported[name]
			return value, ok
		}}
	var all []Command
	for _, l := range r.recipe {
		text := strings.TrimLeft(l.text, "@-+ \t")
		text = strings.TrimLeft(f.expand(text, own, 0), "@-+ \t")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		commands, err := script.Commands(text, scope)
		if err != nil {
			f.unreadable(l)
			continue
		}
		for _, c := range commands {
			env := maps.Clone(exported)
			maps.DeleteFunc(env, func(name, _ string) bool { return !ofGo(name) })
			maps.Copy(env, c.Env)
			c.Env = env
			at := l.at
			at.Line += c.Line - 1
			if c.File != "" {
				at = finding.Place{File: c.File, Line: c.Line}
			} else if len(commands) == 1 {
				oneLine := strings.Fields(strings.ReplaceAll(l.text, "\\\n", " "))
				c.Text = strings.TrimLeft(strings.Join(oneLine, " "), "@-+ ")
			}
			all = append(all, Command{Command: c, Place: at, Target: target})
		}
	}
	return all
}

// unreadable records a recipe line that cannot be read, if it is about the go command.
func (f *File) unreadable(l line) {
	text := strings.Join(strings.Fields(strings.ReplaceAll(l.text, "\\\n", " ")), " ")
	about := strings.Contains(text, "go build") || strings.Contains(text, "go install") ||
		strings.Contains(text, "(GO) build")
	if about && !slices.ContainsFunc(f.unread, func(o line) bool { return o.at == l.at }) {
		f.unread = append(f.unread, line{text, l.at})
	}
}

// Environment returns the variables that recipes set in front of a program, such as LDFLAGS for
// ko.
func (f *File) Environment(program string) map[string]string {
	all := map[string]string{}
	for _, c := range f.All() {
		if path.Base(c.Words[0]) == program {
			for name, value := range c.Env {
				if _, ok := all[name]; !ok {
					all[name] = value
				}
			}
		}
	}
	return all
}

// BuildArgs returns the values that recipes give to the ARG instructions of a Dockerfile. A version
// or a date is not among them: the name of the argument says that. Flags of the linker are.
func (f *File) BuildArgs() map[string]string {
	all := map[string]string{}
	for _, c := range f.All() {
		for i, w := range c.Words {
			arg, ok := strings.CutPrefix(w, "--build-arg=")
			if w == "--build-arg" && i+1 < len(c.Words) {
				arg, ok = c.Words[i+1], true
			}
			name, value, has := strings.Cut(arg, "=")
			plain := stamp.Known(value) && (!strings.Contains(value, "{{") || strings.Contains(value, "-X"))
			if _, there := all[name]; ok && has && !there && value != "" && plain {
				all[name] = value
			}
		}
	}
	return all
}

// ofGo reports whether a variable changes what the go command makes.
func ofGo(name string) bool {
	return strings.HasPrefix(name, "CGO_") ||
		slices.Contains([]string{"GOFLAGS", "GOEXPERIMENT", "GOFIPS140", "GOOS", "GOARCH", "GOARM"}, name)
}

// exports returns the variables that recipes have in their environment.
func (f *File) exports(own map[string]variable) map[string]string {
	all := maps.Clone(f.env)
	if all == nil {
		all = map[string]string{}
	}
	for _, vars := range []map[string]variable{f.vars, own} {
		for name, v := range vars {
			if v.exported || f.exportAll {
				all[name] = strings.TrimSpace(f.lookup(name, own, 0))
			}
		}
	}
	for name := range f.set {
		all[name] = f.set[name]
	}
	return all
}

// Where returns the place of a linker flag or of the name of a variable: the first line that has
// the end of its text, or otherwise.
func (f *File) Where(flag string, otherwise finding.Place) finding.Place {
	name, _, _ := strings.Cut(stamp.Show(flag), "=")
	name = strings.Trim(name, `'"`)
	name = name[strings.LastIndex(name, "/")+1:]
	ends := []string{name + "="}
	if i := strings.LastIndex(name, "."); i > 0 {
		ends = append(ends, name[i:]+"=") // the package is in a variable
	}
	for _, end := range ends {
		for _, l := range f.lines {
			if len(end) > 3 && strings.Contains(l.text, end) {
				return l.at
			}
		}
	}
	return otherwise
}
