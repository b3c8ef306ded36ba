// Package entrypoint finds the program that ENTRYPOINT and CMD start, with its arguments. It takes
// the state of an image. It looks through shells, programs such as tini and gosu, and scripts of
// the repository that only set variables. It runs nothing: a script that does more is left to the
// user.
package entrypoint

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
)

// Wrappers only start another program.
var Wrappers = []string{"tini", "tini-static", "dumb-init", "catatonit", "docker-init", "su-exec", "gosu",
	"setpriv", "exec", "env", "nice", "nohup", "sudo", "time", "s6-setuidgid", "chroot"}

// Started is what an image runs.
type Started struct {
	// Main is the index of the main package, -1 if it is not known.
	Main int
	Args []string
	// Vars are the variables that scripts set for the program. User is the one that a wrapper
	// changes to.
	Vars []state.Variable
	User string
	// Why says why init cannot translate it; Script is the file of the repository that is run.
	Why, Script, scriptAt string
	notes                 []string
}

// Start follows ENTRYPOINT and CMD to a program.
func Start(st *state.State, repo repository.Repository) Started {
	var words []string
	e, c := st.Entrypoint, st.Cmd
	switch {
	case e.Set() && e.Value.Shell:
		words = []string{"/bin/sh", "-c", strings.Join(e.Value.Words, " ")}
	case e.Set():
		words = slices.Clone(e.Value.Words)
	}
	if c.Set() && (!e.Set() || !e.Value.Shell) {
		if c.Value.Shell && len(c.Value.Words) > 0 {
			words = append(words, "/bin/sh", "-c", strings.Join(c.Value.Words, " "))
		} else {
			words = append(words, c.Value.Words...)
		}
	}
	return Follow(words, st, repo)
}

// Follow removes what only starts another program.
func Follow(words []string, st *state.State, repo repository.Repository) Started {
	s := Started{Main: -1}
	env := map[string]string{}
	for _, v := range st.Env {
		env[v.Value.Name] = v.Value.Value
	}
	for range 12 {
		if len(words) == 0 {
			s.Why = "it starts no program"
			return s
		}
		base := path.Base(words[0])
		if at, ok := st.Program(repo, words[0]); ok {
			s.Main, s.Args = at, words[1:]
			return s
		}
		var text, name string
		switch {
		case slices.Contains([]string{"sh", "bash", "ash", "dash"}, base):
			i := 1
			for i < len(words) && strings.HasPrefix(words[i], "-") && !strings.HasSuffix(words[i], "c") {
				i++
			}
			if i+1 < len(words) && strings.HasPrefix(words[i], "-") {
				text, words = words[i+1], words[min(i+3, len(words)):]
			} else if i < len(words) {
				words = words[i:]
				if e, ok := st.FS.At(st.Abs(words[0])); !ok || e.Kind != rootfs.File {
					s.Why = "it starts a shell"
					return s
				}
				continue
			} else {
				s.Why = "it starts a shell"
				return s
			}
		case slices.Contains(Wrappers, base):
			words, s.User = unwrap(words, s.User)
			s.notes = outcome.AddReason(s.notes, "without "+base)
			continue
		default:
			e, ok := st.FS.At(st.Abs(words[0]))
			if (!ok || e.Kind != rootfs.File) && !strings.Contains(words[0], "/") {
				for _, o := range st.FS.Entries {
					if o.Kind == rootfs.File && path.Base(o.Target) == words[0] {
						e, ok = o, true
					}
				}
			}
			if !ok || e.Kind != rootfs.File || strings.HasSuffix(e.Source, "/") {
				if at := onlyProgram(st); at >= 0 && ok && e.Kind == rootfs.Other {
					s.Main, s.Args = at, words[1:]
					return s
				}
				s.Why = words[0] + " is no program of this repository"
				return s
			}
			b, err := repo.Files.Read(e.Source)
			if err != nil {
				s.Why = e.Source + " cannot be read"
				return s
			}
			text, name = string(b), e.Source
			s.Script, s.scriptAt = e.Source, e.Target
			words = words[1:]
		}
		x, why := simpleScript(text, env)
		if why != "" {
			if name != "" {
				why = name + ": " + why
			}
			s.Why = why
			s.Main, s.Args = guess(text, words, st, repo)
			return s
		}
		s.Vars = append(s.Vars, x.vars...)
		for _, v := range x.vars {
			env[v.Name] = v.Value
		}
		if len(x.fixed) > 0 {
			s.notes = outcome.AddReason(s.notes, "$"+strings.Join(x.fixed, ", $")+" has a fixed value")
		}
		var next []string
		for _, w := range x.words {
			if w == rest {
				next = append(next, words...)
				continue
			}
			next = append(next, w)
		}
		words = next
	}
	s.Why = "it starts programs that start programs"
	return s
}

// unwrap removes a program that only starts another one, with its options.
func unwrap(words []string, user string) ([]string, string) {
	base := path.Base(words[0])
	words = words[1:]
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		option := words[0]
		words = words[1:]
		if option == "--" {
			break
		}
		if len(words) > 0 && slices.Contains([]string{"-p", "-e", "-r", "-n", "-u", "--rewrite"}, option) {
			words = words[1:]
		}
	}
	switch base {
	case "su-exec", "gosu", "s6-setuidgid":
		if len(words) > 0 {
			user, words = words[0], words[1:]
		}
	case "env":
		for len(words) > 0 && strings.Contains(words[0], "=") {
			words = words[1:]
		}
	}
	return words, user
}

// onlyProgram returns the main package of the only program in an image, or -1.
func onlyProgram(st *state.State) int {
	if mains := st.FS.Mains(); len(mains) == 1 {
		return mains[0]
	}
	return -1
}

// guess returns the program that a script starts in the end, with the arguments of CMD.
func guess(text string, args []string, st *state.State, repo repository.Repository) (int, []string) {
	if len(args) > 0 {
		if at, ok := st.Program(repo, args[0]); ok {
			return at, args[1:]
		}
		if strings.Contains(args[0], "/") { // another program, or a shell
			args = nil
		}
	}
	lines := strings.Split(text, "\n")
	for _, line := range slices.Backward(lines) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(strings.TrimPrefix(line, "exec "))
		for n, f := range fields {
			if n > 3 {
				break
			}
			if at, ok := st.Program(repo, strings.Trim(f, `"'`)); ok {
				return at, args
			}
		}
	}
	if at := onlyProgram(st); at >= 0 {
		return at, args
	}
	return -1, nil
}
