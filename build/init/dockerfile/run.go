package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/gobuild"
	"github.com/thimble-build/thimble/build/init/script"
)

// running is one command of a RUN instruction.
type running struct {
	script.Command
	finding.Place
	// name is the program without its folder, args are its arguments.
	name string
	args []string
}

// run handles a RUN instruction, command by command.
func (r *reader) run(i instruction, c *instructions.RunCommand, st *state) {
	r.mounts(c, st)
	text, first, words := r.script(i, c)
	var commands []script.Command
	if words != nil {
		commands = []script.Command{{Line: 1, Text: i.text, Dir: st.workdir, Words: words}}
	} else {
		scope := script.Scope{Dir: st.workdir, Lookup: func(name string) (string, bool) {
			if value, ok := st.vars[name]; ok {
				return value, true
			}
			value, ok := platform[name]
			return value, ok
		}}
		scope.Repository.Read = func(name string) (string, bool) {
			e, ok := st.at(r, st.abs(name))
			if !ok || e.kind != file {
				return "", false
			}
			b, err := r.files.Read(e.source)
			return string(b), err == nil
		}
		var err error
		if commands, err = script.Commands(text, scope); err != nil {
			r.byHand(i, "Before", "its shell commands cannot be read: "+firstLine(err.Error()), "")
			return
		}
	}
	if len(commands) == 0 {
		r.say(i, finding.NotNeeded, "it starts no program")
		return
	}
	for _, cmd := range commands {
		run := running{Command: cmd, Place: finding.Place{File: r.name, Line: first + cmd.Line - 1},
			name: path.Base(cmd.Words[0]), args: cmd.Words[1:]}
		if run.Text == "" || words != nil {
			run.Text = strings.Join(cmd.Words, " ")
		}
		r.command(run, st)
	}
}

// mounts adds what --mount=type=bind shows a command.
func (r *reader) mounts(c *instructions.RunCommand, st *state) {
	for _, word := range strings.Fields(c.String()) {
		options, ok := strings.CutPrefix(word, "--mount=")
		if !ok {
			continue
		}
		m := map[string]string{}
		for option := range strings.SplitSeq(options, ",") {
			name, value, _ := strings.Cut(option, "=")
			m[name] = value
		}
		target := m["target"] + m["dst"] + m["destination"]
		if m["type"] != "" && m["type"] != "bind" || m["from"] != "" || target == "" {
			continue
		}
		for _, name := range r.context.match(m["source"] + m["src"]) {
			st.entries = append(st.entries, entry{kind: file, source: name, target: st.abs(target),
				skip: func(n string) bool { return !r.context.has(n) }})
		}
	}
}

func (r *reader) sayRun(c running, o finding.Outcome, reason string) *finding.Line {
	return r.sayAt(c.Place, "RUN "+c.Text, o, reason)
}

// quiet are commands that change nothing, or only the shell.
var quiet = []string{
	"set", "true", "false", ":", "exit", "return", "export", "unset", "shopt", "trap", "ulimit", "umask",
	"wait", "read", "local", "shift", "test", "[", "[[", "echo", "printf", "ls", "pwd",
	"cat", "which", "uname",
	"whoami", "id", "env", "printenv", "date", "type", "stat", "file", "du", "df", "head", "tail", "grep",
	"awk", "sleep", "sync", "ldd", "sha256sum", "sha512sum", "md5sum", "basename", "dirname", "tee", "find",
	"sort", "wc", "arch", "hash",
}

// command handles one command.
func (r *reader) command(c running, st *state) {
	if b, ok := gobuild.Read(c.Command); ok {
		r.goBuild(c, b, st)
		return
	}
	if names, ok := installed(c.Words); ok {
		r.install(c, names, st)
		return
	}
	switch {
	case c.name == "go":
		r.goCommand(c, st)
	case r.accountCommand(c, st):
	case r.fileCommand(c, st):
	case slices.Contains(quiet, c.name):
		r.sayRun(c, finding.NotNeeded, "it only prints or tests something")
	case slices.Contains([]string{"update-ca-certificates", "update-ca-trust", "c_rehash"}, c.name):
		r.sayRun(c, finding.NotNeeded, "CACertificates adds certificates to the bundle")
	case slices.Contains([]string{"ldconfig", "fc-cache", "locale-gen", "dpkg-reconfigure",
		"update-alternatives", "apt-key", "gpg", "rpm", "dpkg", "add-apt-repository"}, c.name):
		r.sayRun(c, finding.NotNeeded, "it only sets up the base")
	case c.name == "git":
		r.sayRun(c, finding.NotNeeded, "the source tree and its history are there")
	case r.isProgram(c, st):
		r.sayRun(c, finding.NotNeeded, "it only shows that the program starts")
	case st.stage.role != ships || st.compiles:
		r.buildCommand(c, st)
	default:
		line := r.sayRun(c, finding.ByHand, "no command runs in an image")
		line.Setting = "Assets"
		line.Write = "if the program needs what it makes: make it with Before, and copy it with Assets"
	}
}

// isProgram reports whether a command runs a program of the repository, such as "./api version".
func (r *reader) isProgram(c running, st *state) bool {
	_, ok := r.lookUp(c.Words[0], st)
	return ok || r.programNamed(c.name) >= 0 && len(c.args) == 1 &&
		slices.Contains([]string{"version", "--version", "-version", "-v", "-V", "help", "--help"}, c.args[0])
}

// goCommand handles the go command, except go build and go install.
func (r *reader) goCommand(c running, st *state) {
	verb := ""
	for _, a := range c.args {
		if !strings.HasPrefix(a, "-") {
			verb = a
			break
		}
	}
	switch verb {
	case "test", "vet":
		r.sayRun(c, finding.NotNeeded, "mage image runs the tests")
	case "generate":
		st.compiles = true
		line := r.sayRun(c, finding.Imported, "Before")
		st.before = append(st.before, finding.Found(append([]string{"go"}, c.args...), c.Place))
		line.Setting = "Before"
	case "install", "build", "run":
		if strings.Contains(c.Text, "@") {
			r.sayRun(c, finding.NotNeeded, "a tool of the build stage")
			return
		}
		r.buildCommand(c, st)
	default:
		r.sayRun(c, finding.NotNeeded, "the go command does it when it compiles")
	}
}

// install handles the packages that a command installs.
func (r *reader) install(c running, names []string, st *state) {
	line := r.sayRun(c, finding.NotNeeded, "it installs nothing")
	cgo := slices.ContainsFunc(names, func(n string) bool {
		return slices.Contains(compilers,
			packageName(n))
	})
	if cgo {
		st.compiler = finding.Found(true, c.Place)
		line.Reason = "a C compiler; Cgo says whether it is needed"
	}
	switch {
	case len(names) == 0:
	case st.stage.role == ships && !st.compiles && !cgo && !r.compilesLater(st):
		r.packages(names, st, line)
	case !cgo:
		line.Reason = "only for the build, which runs on your machine"
	}
}

// compilesLater reports whether a stage that is an image compiles Go.
func (r *reader) compilesLater(st *state) bool {
	return slices.ContainsFunc(st.stage.body, func(i instruction) bool {
		_, isRun := i.cmd.(*instructions.RunCommand)
		return isRun && (strings.Contains(i.text, "go build") || strings.Contains(i.text, "go install"))
	})
}

// makers are programs that make what the compiler or an image needs, without Go.
var makers = []string{
	"npm", "yarn", "pnpm", "bun", "npx", "bunx", "pnpx", "node", "corepack", "vite", "webpack", "hugo",
	"templ", "buf", "protoc", "sqlc", "swag", "tailwindcss", "esbuild", "deno", "elm", "gulp",
	"grunt", "ng", "mkdocs",
}

// drivers are programs that compile a Go program by instructions in other files.
var drivers = map[string]string{
	"make": "Makefile", "gmake": "Makefile", "task": "Taskfile", "go-task": "Taskfile", "mage": "magefile",
	"just": "justfile", "goreleaser": ".goreleaser.yaml", "promu": ".promu.yml", "ko": ".ko.yaml",
	"bazel": "BUILD", "bazelisk": "BUILD",
}

// buildCommand handles a command of a build stage.
func (r *reader) buildCommand(c running, st *state) {
	own := st.stage.role == ships
	switch {
	case slices.Contains(makers, c.name) && !own:
		line := r.sayRun(c, finding.NotNeeded, "nothing that it makes is copied")
		st.prepared = append(st.prepared, prepared{c.Words, c.Dir, c.Place, line})
	case drivers[c.name] != "":
		st.compiles = true
		if drivers[c.name] == "Makefile" {
			r.makes(c, st)
		}
		r.sayRun(c, finding.NotNeeded, "thimble compiles the program; "+
			drivers[c.name]+" is read for its settings")
	case strings.HasSuffix(c.name, ".sh") || c.name == "sh" || c.name == "bash":
		st.compiles = true
		line := r.sayRun(c, finding.ByHand, "init does not read what the script does")
		line.Setting, line.Write = "Before", `if the compiler needs what it makes: Before: [][]string{{`+
			quoteAll(c.Words)+`}}`
	case slices.Contains([]string{"upx", "strip", "objcopy", "xx-verify", "goversion", "scanelf", "readelf"},
		c.name):
		r.sayRun(c, finding.NotNeeded, "the binary is without symbols, and its layer is compressed")
	case slices.Contains([]string{"curl", "wget", "tar", "unzip", "gunzip", "xx-info", "xx-clang",
		"sed", "rsync"}, c.name):
		r.sayRun(c, finding.NotNeeded, "nothing of a build stage is in the image unless it is copied")
	default:
		line := r.sayRun(c, finding.ByHand, "a command of the build stage")
		line.Setting, line.Write = "Before", `if the compiler needs what it makes: Before: [][]string{{`+
			quoteAll(c.Words)+`}}`
	}
}

func quoteAll(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, quote(w))
	}
	return strings.Join(all, ", ")
}
