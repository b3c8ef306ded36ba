package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
)

// wrappers only start another program.
var wrappers = []string{"tini", "tini-static", "dumb-init", "catatonit", "docker-init", "su-exec", "gosu",
	"setpriv", "exec", "env", "nice", "nohup", "sudo", "time", "s6-setuidgid", "chroot"}

// started is what an image runs.
type started struct {
	// main is the index of the main package, -1 if it is not known.
	main int
	args []string
	vars []named
	user string
	// why says why init cannot translate it; script is the file of the repository that is run.
	why, script, scriptAt string
	notes                 []string
}

// lookUp returns the main package of the program that a word starts.
func (r *reader) lookUp(word string, st *state) (int, bool) {
	if strings.Contains(word, "/") {
		if e, ok := st.at(r, st.abs(word)); ok {
			return e.main, e.kind == program
		}
	} else {
		for _, e := range slices.Backward(st.entries) {
			if e.kind == program && path.Base(e.target) == word {
				return e.main, true
			}
		}
	}
	if at := r.programNamed(word); at >= 0 {
		for _, e := range st.entries {
			if e.kind == program && e.main == at {
				return at, true
			}
		}
	}
	return -1, false
}

// start follows ENTRYPOINT and CMD to a program.
func (r *reader) start(st *state) started {
	var words []string
	e, c := st.entrypoint, st.cmd
	switch {
	case e.line != nil && e.value.shell:
		words = []string{"/bin/sh", "-c", strings.Join(e.value.words, " ")}
	case e.line != nil:
		words = slices.Clone(e.value.words)
	}
	if c.line != nil && (e.line == nil || !e.value.shell) {
		if c.value.shell && len(c.value.words) > 0 {
			words = append(words, "/bin/sh", "-c", strings.Join(c.value.words, " "))
		} else {
			words = append(words, c.value.words...)
		}
	}
	return r.follow(words, st)
}

// follow removes what only starts another program.
func (r *reader) follow(words []string, st *state) started {
	s := started{main: -1}
	env := map[string]string{}
	for _, v := range st.env {
		env[v.value.name] = v.value.value
	}
	for range 12 {
		if len(words) == 0 {
			s.why = "it starts no program"
			return s
		}
		base := path.Base(words[0])
		if at, ok := r.lookUp(words[0], st); ok {
			s.main, s.args = at, words[1:]
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
				if e, ok := st.at(r, st.abs(words[0])); !ok || e.kind != file {
					s.why = "it starts a shell"
					return s
				}
				continue
			} else {
				s.why = "it starts a shell"
				return s
			}
		case slices.Contains(wrappers, base):
			words, s.user = unwrap(words, s.user)
			s.notes = append(s.notes, "without "+base)
			continue
		default:
			e, ok := st.at(r, st.abs(words[0]))
			if (!ok || e.kind != file) && !strings.Contains(words[0], "/") {
				for _, o := range st.entries {
					if o.kind == file && path.Base(o.target) == words[0] {
						e, ok = o, true
					}
				}
			}
			if !ok || e.kind != file || strings.HasSuffix(e.source, "/") {
				if at := r.onlyProgram(st); at >= 0 && ok && e.kind == other {
					s.main, s.args = at, words[1:]
					return s
				}
				s.why = words[0] + " is no program of this repository"
				return s
			}
			b, err := r.files.Read(e.source)
			if err != nil {
				s.why = e.source + " cannot be read"
				return s
			}
			text, name = string(b), e.source
			s.script, s.scriptAt = e.source, e.target
			words = words[1:]
		}
		x, why := simpleScript(text, env)
		if why != "" {
			if name != "" {
				why = name + ": " + why
			}
			s.why = why
			s.main, s.args = r.guess(text, words, st)
			return s
		}
		s.vars = append(s.vars, x.vars...)
		for _, v := range x.vars {
			env[v.name] = v.value
		}
		if len(x.fixed) > 0 {
			s.notes = append(s.notes, "$"+strings.Join(distinct(x.fixed), ", $")+" has a fixed value")
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
	s.why = "it starts programs that start programs"
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
func (r *reader) onlyProgram(st *state) int {
	found := -1
	for _, e := range st.entries {
		if e.kind == program {
			if found >= 0 && found != e.main {
				return -1
			}
			found = e.main
		}
	}
	return found
}

// guess returns the program that a script starts in the end, with the arguments of CMD.
func (r *reader) guess(text string, args []string, st *state) (int, []string) {
	if len(args) > 0 {
		if at, ok := r.lookUp(args[0], st); ok {
			return at, args[1:]
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
			if at, ok := r.lookUp(strings.Trim(f, `"'`), st); ok {
				return at, args
			}
		}
	}
	if at := r.onlyProgram(st); at >= 0 {
		return at, args
	}
	return -1, nil
}

// sayStart sets the outcomes of ENTRYPOINT and CMD.
func (r *reader) sayStart(st *state, s started, binary string) {
	e, c := st.entrypoint.line, st.cmd.line
	first := e
	if first == nil {
		first = c
	}
	if first == nil {
		return
	}
	notes := ""
	if len(s.notes) > 0 {
		notes = "; " + strings.Join(distinct(s.notes), "; ")
	}
	switch {
	case s.why != "":
		first.Outcome, first.Reason, first.Setting = finding.ByHand, s.why, "Runtime.Entrypoint"
		if s.script != "" {
			first.Write = `the image starts /app/` + binary +
				`; with the script: Base: "debian", Packages: []string{"dash", "coreutils"}, Assets: ` +
				`{Source: ` + quote(s.script) + `, Target: ` + quote(s.scriptAt) +
				`, Mode: 0o755}, Symlinks: {Path: "…", Target: "/app/` + binary +
				`"}, Runtime.Entrypoint: []string{` + quote(s.scriptAt) + `}`
		} else {
			first.Write = "the image starts /app/" + binary + ": Runtime.Args are its arguments"
		}
	case first == e && s.script == "" && len(st.entrypoint.value.words) < 2 && !st.entrypoint.value.shell:
		first.Outcome, first.Reason = finding.NotNeeded, "/app/"+binary+" is the entrypoint"+notes
	case len(s.args) == 0 && len(s.vars) == 0:
		first.Outcome, first.Reason = finding.NotNeeded, "/app/"+binary+" is the entrypoint"+notes
	default:
		reason := "Runtime.Args"
		if len(s.vars) > 0 {
			reason = "Runtime.Env"
			if len(s.args) > 0 {
				reason += ", Runtime.Args"
			}
		}
		first.Outcome, first.Reason = finding.Imported, reason+notes
		if e != nil && c != nil && len(s.args) == len(st.cmd.value.words) &&
			len(s.vars) == 0 { // all are from CMD
			first.Outcome, first.Reason = finding.NotNeeded, "/app/"+binary+" is the entrypoint"+notes
		}
	}
	if e != nil && c != nil {
		switch {
		case st.entrypoint.value.shell:
			c.Outcome, c.Reason = finding.NotNeeded, "an ENTRYPOINT in shell form ignores it"
		case len(st.cmd.value.words) == 0:
			c.Outcome, c.Reason = finding.NotNeeded, "it is empty"
		case len(s.args) == 0 && s.why == "":
			c.Outcome, c.Reason = finding.NotNeeded, "/app/"+binary+" is the entrypoint"
		}
	}
}
