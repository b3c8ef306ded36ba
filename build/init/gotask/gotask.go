// Package gotask reads a Taskfile (taskfile.dev): which programs its tasks build. Variables are
// followed as far as they are plain; "sh:" is translated, never run.
package gotask

import (
	"maps"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/gobuild"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/script"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/init/yamltree"
)

// Names are the names of the file, in the order of task.
var Names = []string{"Taskfile.yml", "taskfile.yml", "Taskfile.yaml", "taskfile.yaml", "Taskfile.dist.yml",
	"Taskfile.dist.yaml"}

// Command is a command of a task.
type Command struct {
	script.Command
	finding.Place
	Task string
}

type reader struct {
	name string
	dir  string
	env  map[string]string
	vars map[string]string
	repo stamp.Repository
	all  []Command
}

// Commands returns the commands of all tasks, in the file's order.
func Commands(name, text string, repo stamp.Repository) ([]Command, error) {
	root, err := yamltree.Parse(text)
	if err != nil {
		return nil, err
	}
	r := &reader{name: name, dir: path.Dir(name), repo: repo, env: map[string]string{},
		vars: map[string]string{}}
	r.variables(r.vars, yamltree.Get(root, "vars"), r.vars)
	r.variables(r.env, yamltree.Get(root, "env"), r.vars)
	for _, t := range yamltree.Entries(yamltree.Get(root, "tasks")) {
		r.task(t)
	}
	return r.all, nil
}

// Source returns the programs that the tasks build.
func Source(name, text string, t *mains.Tree, repo stamp.Repository) finding.Source {
	commands, err := Commands(name, text, repo)
	if err != nil {
		at := finding.Place{File: name}
		return finding.Source{Kind: finding.Taskfile, File: name, Lines: []finding.Line{
			{Place: at, Text: name, Outcome: finding.ByHand, Reason: err.Error()},
		}}
	}
	var found []gobuild.Found
	for _, c := range commands {
		if b, ok := gobuild.Read(c.Command); ok {
			found = append(found, gobuild.Found{Build: b, At: c.Place, Task: c.Task})
		}
	}
	return gobuild.Source(finding.Taskfile, name, found, t, nil)
}

// variables reads a mapping of variables into to.
func (r *reader) variables(to map[string]string, n *yaml.Node, known map[string]string) {
	for _, e := range yamltree.Entries(n) {
		if sh := yamltree.Get(e.Value, "sh"); sh != nil {
			written := r.expand(yamltree.Scalar(sh), known)
			if t, ok := stamp.Command(stamp.Show(written), r.repo); ok {
				to[e.Key] = t
			} else {
				to[e.Key] = stamp.Unknown("$(" + written + ")")
			}
			continue
		}
		to[e.Key] = stamp.Value(e.Key, r.expand(yamltree.Scalar(e.Value), known))
	}
}

func (r *reader) task(t yamltree.Entry) {
	vars, env := maps.Clone(r.vars), maps.Clone(r.env)
	vars["TASK"] = t.Key
	r.variables(vars, yamltree.Get(t.Value, "vars"), vars)
	r.variables(env, yamltree.Get(t.Value, "env"), vars)
	dir := path.Join(r.dir, r.expand(yamltree.Scalar(yamltree.Get(t.Value, "dir")), vars))
	commands := yamltree.Entries(yamltree.Get(t.Value, "cmds"))
	switch {
	case t.Value.Kind == yaml.ScalarNode:
		commands = []yamltree.Entry{t}
	case t.Value.Kind == yaml.SequenceNode:
		commands = yamltree.Entries(t.Value)
	}
	if cmd := yamltree.Get(t.Value, "cmd"); cmd != nil {
		commands = append(commands, yamltree.Entry{Line: cmd.Line, Value: cmd})
	}
	for _, c := range commands {
		text, n := yamltree.Scalar(c.Value), c.Value
		if cmd := yamltree.Get(c.Value, "cmd"); cmd != nil {
			text, n = yamltree.Scalar(cmd), cmd
		}
		if text == "" {
			continue
		}
		r.command(t.Key, text, n, dir, vars, env)
	}
}

func (r *reader) command(task, text string, n *yaml.Node, dir string, vars, env map[string]string) {
	commands, err := script.Commands(r.expand(text, vars),
		script.Scope{Dir: dir, Repository: r.repo, Read: r.repo.Read,
			Lookup: func(name string) (string, bool) {
				value, ok := env[name]
				return value, ok
			}})
	if err != nil {
		return // a template decides what the command is
	}
	line := n.Line
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		line++
	}
	for _, c := range commands {
		if len(commands) == 1 {
			c.Text = strings.Join(strings.Fields(text), " ")
		}
		all := map[string]string{}
		for name, value := range env {
			if strings.HasPrefix(name, "CGO_") || strings.HasPrefix(name, "GO") {
				all[name] = value
			}
		}
		maps.Copy(all, c.Env)
		c.Env = all
		at := finding.Place{File: r.name, Line: line}
		if n.Style&yaml.LiteralStyle != 0 {
			at.Line += c.Line - 1
		}
		r.all = append(r.all, Command{Command: c, Place: at, Task: task})
	}
}

var action = regexp.MustCompile(`\{\{-?\s*([^{}]*?)\s*-?\}\}`)

// expand replaces the templates of task.
func (r *reader) expand(text string, vars map[string]string) string {
	return action.ReplaceAllStringFunc(text, func(written string) string {
		name, _ := strings.CutPrefix(action.FindStringSubmatch(written)[1], ".")
		if value, ok := vars[name]; ok {
			return value
		}
		switch name {
		case "CLI_ARGS", "exeExt", "EXE", "EXT":
			return ""
		case "ROOT_DIR", "TASKFILE_DIR", "USER_WORKING_DIR":
			return "."
		}
		if t, ok := stamp.Name(name); ok {
			return t
		}
		return stamp.Unknown(written)
	})
}
