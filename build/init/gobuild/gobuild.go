// Package gobuild reads commands that compile a Go program, and returns the settings that they
// have: which package, which name, which flags of the linker and which build tags.
package gobuild

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/script"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/internal/ldflags"
)

// Build is a "go build" or "go install" command.
type Build struct {
	script.Command
	// Install says that it is "go install".
	Install bool
	// Packages are the packages and files as written; "." if there are none.
	Packages []string
	// Output is the value of -o.
	Output string
	// LDFlags are the words of all -ldflags, Tags those of -tags.
	LDFlags, Tags []string
	// Flags are the other flags, with their values after "=".
	Flags []string
}

// valued are the flags of go build that have a value. The others are true or false.
var valued = []string{
	"C", "p", "covermode", "coverpkg", "asmflags", "buildmode", "buildvcs", "compiler",
	"gccgoflags", "gcflags",
	"installsuffix", "json", "ldflags", "mod", "modfile", "o", "overlay", "pgo", "pkgdir", "tags", "toolexec",
}

// withoutValue have a value only after "=".
var withoutValue = []string{"buildvcs", "json"}

// Read reads a command. ok is false if it compiles no package of a repository.
func Read(c script.Command) (b Build, ok bool) {
	words := c.Words
	if len(words) > 2 && (words[0] == "docker" || words[0] == "podman") && words[1] == "run" {
		words, c = inContainer(c)
	}
	if len(words) < 2 || !isGo(words[0]) {
		return b, false
	}
	b = Build{Command: c}
	args := words[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") { // go -C dir build
		if dir, is := strings.CutPrefix(args[0], "-C="); is {
			b.Dir = path.Join(b.Dir, dir)
		} else if args[0] == "-C" && len(args) > 1 {
			b.Dir = path.Join(b.Dir, args[1])
			args = args[1:]
		}
		args = args[1:]
	}
	if len(args) == 0 || args[0] != "build" && args[0] != "install" {
		return b, false
	}
	b.Install = args[0] == "install"
	b.read(args[1:])
	for _, pkg := range b.Packages {
		if strings.Contains(pkg, "@") { // go install of another module's tool
			return b, false
		}
	}
	if len(b.Packages) == 0 {
		b.Packages = []string{"."}
	}
	return b, true
}

// isGo reports whether a program is the go command, or one that is called like it.
func isGo(program string) bool {
	if !stamp.Known(program) {
		shown := strings.ToUpper(strings.Trim(stamp.Show(program), "${}()"))
		return shown == "GO" || shown == "GOCMD" || shown == "GO_CMD" || shown == "GOBIN"
	}
	base := path.Base(program)
	return base == "go" || base == "xx-go" || base == "gotip" || base == "garble" ||
		strings.HasPrefix(base, "go1.")
}

// inContainer returns the command that "docker run" runs, with the variables of -e.
func inContainer(c script.Command) ([]string, script.Command) {
	for i := range c.Words {
		if i+1 < len(c.Words) && c.Words[i] == "go" &&
			(c.Words[i+1] == "build" || c.Words[i+1] == "install") {
			env := map[string]string{}
			for j := 2; j+1 < i; j++ {
				name, value, ok := strings.Cut(c.Words[j+1], "=")
				if ok && (c.Words[j] == "-e" || c.Words[j] == "--env") {
					env[name] = value
				}
			}
			c.Env = env
			return c.Words[i:], c
		}
	}
	return nil, c
}

func (b *Build) read(args []string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			if arg != "" && !strings.HasPrefix(arg, ">") {
				b.Packages = append(b.Packages, arg)
			}
			continue
		}
		name, value, has := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		if !has && slices.Contains(valued, name) && !slices.Contains(withoutValue, name) && i+1 < len(args) {
			i++
			value, has = args[i], true
		}
		switch name {
		case "C":
			b.Dir = path.Join(b.Dir, value)
		case "o":
			b.Output = value
		case "ldflags":
			b.LDFlags = append(b.LDFlags, words(value)...)
		case "tags":
			b.Tags = append(b.Tags, strings.FieldsFunc(value,
				func(r rune) bool { return r == ',' || r == ' ' })...)
		default:
			flag := "-" + name
			if has {
				flag += "=" + value
			}
			b.Flags = append(b.Flags, flag)
		}
	}
}

// words splits a value of -ldflags. What the go command would refuse is split at spaces.
func words(value string) []string {
	all, err := ldflags.Split(value)
	if err != nil {
		return strings.Fields(strings.NewReplacer(`'`, "", `"`, "").Replace(value))
	}
	// '-X "main.version=1"' leaves quotes in the value, which the linker would keep.
	return all
}

// Name returns the name of the program that -o gives, "" if it gives none: a folder, a name with
// unknown parts or with a version.
func (b Build) Name() string {
	if b.Output == "" || strings.HasSuffix(b.Output, "/") || b.Output == "." || path.Base(b.Output) == ".." {
		return ""
	}
	name := strings.TrimSuffix(path.Base(b.Output), ".exe")
	for _, end := range []string{"-linux", "_linux"} {
		name, _, _ = strings.Cut(name, end)
	}
	if !stamp.Known(name) || strings.Contains(name, "{{") {
		return ""
	}
	return name
}
