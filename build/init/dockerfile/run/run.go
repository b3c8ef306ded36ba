// Package run follows RUN, command by command: which accounts, folders, files and symlinks it makes
// in its stage, which packages it installs, which programs it compiles, and which files of the
// source tree. It takes the commands with the state of the stage, changes the state, and says what
// becomes of each command. It starts no program.
package run

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/packages"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/gobuild"
	"github.com/thimble-build/thimble/build/init/script"
)

// Apply follows a RUN instruction. shell is what it runs.
func Apply(i syntax.Instruction, cmd *instructions.RunCommand, shell syntax.Shell,
	repo repository.Repository, st *state.State, lines *outcome.Lines) {
	mounts(cmd, st, repo)
	all, err := commands(i, shell, repo, st)
	switch {
	case err != nil:
		outcome.ByHand(lines.Say(i, finding.ByHand, ""), "Before",
			"its shell commands cannot be read: "+outcome.FirstLine(err), "")
	case len(all) == 0:
		lines.Say(i, finding.NotNeeded, "it starts no program")
	}
	for _, c := range all {
		follow(c, st, repo, lines)
	}
}

// commands returns the commands that a RUN instruction would run.
func commands(i syntax.Instruction, shell syntax.Shell, repo repository.Repository,
	st *state.State) ([]command, error) {
	var found []script.Command
	switch {
	case len(shell.Words) > 0:
		found = []script.Command{{Line: 1, Dir: st.Workdir, Words: shell.Words}}
	case shell.Text != "":
		scope := script.Scope{Dir: st.Workdir, Lookup: func(name string) (string, bool) {
			if value, ok := st.Vars[name]; ok {
				return value, true
			}
			value, ok := syntax.Platform[name]
			return value, ok
		}}
		scope.Repository.Read = func(name string) (string, bool) {
			e, ok := st.FS.At(st.Abs(name))
			if !ok || e.Kind != rootfs.File {
				return "", false
			}
			b, err := repo.Files.Read(e.Source)
			return string(b), err == nil
		}
		var err error
		if found, err = script.Commands(shell.Text, scope); err != nil {
			return nil, err
		}
	}
	var all []command
	for _, f := range found {
		c := command{Command: f, Place: finding.Place{File: i.File, Line: shell.First + f.Line - 1},
			name: path.Base(f.Words[0]), args: f.Words[1:]}
		if c.Text == "" {
			c.Text = strings.Join(f.Words, " ")
		}
		all = append(all, c)
	}
	return all, nil
}

// mounts adds what --mount=type=bind shows a command.
func mounts(c *instructions.RunCommand, st *state.State, repo repository.Repository) {
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
		for _, name := range repo.Context.Match(m["source"] + m["src"]) {
			st.FS.Entries = append(st.FS.Entries, rootfs.Entry{
				Kind: rootfs.File, Source: name, Target: st.Abs(target),
				Skip: func(n string) bool { return !repo.Context.Has(n) },
			})
		}
	}
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

// follow handles one command.
func follow(c command, st *state.State, repo repository.Repository, lines *outcome.Lines) {
	if b, ok := gobuild.Read(c.Command); ok {
		goBuild(c, b, st, repo, lines)
		return
	}
	if names, ok := packages.Installed(c.Words); ok {
		install(c, names, st, lines)
		return
	}
	switch {
	case c.name == "go":
		goCommand(c, st, repo, lines)
	case accountCommand(c, st, lines):
	case fileCommand(c, st, repo, lines):
	case slices.Contains(quiet, c.name):
		c.say(lines, finding.NotNeeded, "it only prints or tests something")
	case slices.Contains([]string{"update-ca-certificates", "update-ca-trust", "c_rehash"}, c.name):
		c.say(lines, finding.NotNeeded, "CACertificates adds certificates to the bundle")
	case slices.Contains([]string{"ldconfig", "fc-cache", "locale-gen", "dpkg-reconfigure",
		"update-alternatives", "apt-key", "gpg", "rpm", "dpkg", "add-apt-repository"}, c.name):
		c.say(lines, finding.NotNeeded, "it only sets up the base")
	case c.name == "git":
		c.say(lines, finding.NotNeeded, "the source tree and its history are there")
	case isProgram(c, st, repo):
		c.say(lines, finding.NotNeeded, "it only shows that the program starts")
	case !st.Ships() || st.Compiles:
		buildCommand(c, st, repo, lines)
	default:
		c.byHand(lines, "Assets", "no command runs in an image",
			"if the program needs what it makes: make it with Before, and copy it with Assets")
	}
}

// isProgram reports whether a command runs a program of the repository, such as "./api version".
func isProgram(c command, st *state.State, repo repository.Repository) bool {
	_, ok := st.Program(repo, c.Words[0])
	return ok || repo.MainNamed(c.name) >= 0 && len(c.args) == 1 &&
		slices.Contains([]string{"version", "--version", "-version", "-v", "-V", "help", "--help"}, c.args[0])
}
