// Package gocmd runs the go command with everything that could change its
// output pinned. Read asks `go env` once what the user's settings are in the
// service's folder; from then on the go command is given an explicit environment
// (GOENV=off), so that a `go env -w` or a variable that nobody thought of cannot
// leak into a binary.
package gocmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/internal/secret"
	"github.com/thimble-build/thimble/build/plan"
)

// Go is a go command and the settings that hold for one module.
type Go struct {
	// Version is GOVERSION, such as "go1.26.8"; Root is GOROOT.
	Version, Root string
	// Mod is the main module's go.mod, Work the go.work in force; "" if none.
	Mod, Work string
	// ModMode is -mod: "readonly", "vendor" or "mod". Tags and Parallel are
	// GOFLAGS' -tags and -p; Unstamped is its -buildvcs=false.
	ModMode  string
	Tags     []string
	Parallel string
	// Warm says that there is little to compile. The go command, whose garbage is little
	// as well, then collects it less often, and takes up to a sixth less time; but not
	// where the number of compilers is limited, and with it their memory.
	Warm      bool
	Unstamped bool
	// CState changes with all that C may include. The go command's cache knows of the
	// headers in a package's own folder alone, and would take what was compiled with others.
	CState string
	// AssemblyStates are the same for what Go's assembler includes, by platform and package.
	// The other packages are left out.
	AssemblyStates map[plan.Platform]map[string]string
	// Experiment is GOEXPERIMENT, FIPS140 GOFIPS140, "" for the default.
	Experiment, FIPS140 string

	dir     string
	bin     string
	user    []string          // the user's environment, without the launcher's overrides
	clean   []string          // user without any setting of Go's
	setting map[string]string // what `go env` says
	forC    map[string]string // what it says of C, once FindC has asked
	c       map[plan.Platform]compiler
}

// pinned are the settings that are handed to the go command as they are: where
// it finds modules and keeps its caches. None of them changes what it writes.
var pinned = []string{
	"GOAUTH", "GOCACHE", "GOCACHEPROG", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB",
	"GOPATH", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOTMPDIR", "GOVCS",
}

// asked are the settings that Read asks for. `go env` without names would start
// the C compiler.
var asked = append([]string{
	"GOVERSION", "GOROOT", "GOMOD", "GOWORK", "GOFLAGS", "GOEXPERIMENT", "GOFIPS140",
	"GOAMD64", "GOARM", "GOARM64", "GO386", "GOPPC64", "GORISCV64", "GOHOSTOS", "GOHOSTARCH",
}, pinned...)

// Read asks the go command, in the module's folder dir and with the user's
// environment env, for the settings that are in force there. It sees some more variables,
// because it may fetch a toolchain; see Fetch.
func Read(ctx context.Context, dir string, env []string, more ...string) (*Go, error) {
	user := withoutLauncher(env)
	bin, err := lookPath("go", user)
	if err != nil {
		return nil, fmt.Errorf("find the go command: %w; install Go from https://go.dev/dl and put it into PATH", err)
	}
	out, err := process.Output(ctx, process.Command{Args: append([]string{bin, "env", "-json"}, asked...), Dir: dir, Env: slices.Concat(user, more)})
	if err != nil {
		return nil, fmt.Errorf("read Go's settings in %s: %w", dir, err)
	}
	g := &Go{dir: dir, bin: bin, user: user, clean: git.Env(withoutGo(user))}
	if err := json.Unmarshal(out, &g.setting); err != nil {
		return nil, fmt.Errorf("read Go's settings: go env: %w", err)
	}
	g.Version, _, _ = strings.Cut(g.setting["GOVERSION"], " ")
	g.Root = g.setting["GOROOT"]
	if mod := g.setting["GOMOD"]; mod != os.DevNull {
		g.Mod = mod
	}
	if work := g.setting["GOWORK"]; work != "off" {
		g.Work = work
	}
	g.Experiment = g.setting["GOEXPERIMENT"]
	if f := g.setting["GOFIPS140"]; f != "off" {
		g.FIPS140 = f
	}
	if err := g.readFlags(g.setting["GOFLAGS"]); err != nil {
		return nil, err
	}
	if g.ModMode == "" {
		g.ModMode = "readonly"
		is, err := vendors(g.Mod, g.Work)
		if err != nil {
			return nil, err
		}
		if is {
			g.ModMode = "vendor"
		}
	}
	return g, nil
}

// Proxy is the GOPROXY in force outside of any module: a module could ask for another
// toolchain, which the go command would fetch before it answers.
func Proxy(ctx context.Context, env []string) (string, error) {
	user := withoutLauncher(env)
	bin, err := lookPath("go", user)
	if err != nil {
		return "", fmt.Errorf("find the go command: %w; install Go from https://go.dev/dl and put it into PATH", err)
	}
	root := string(filepath.Separator)
	if wd, err := os.Getwd(); err == nil {
		root = filepath.VolumeName(wd) + root
	}
	out, err := process.Output(ctx, process.Command{Args: []string{bin, "env", "GOPROXY"}, Dir: root, Env: append(user, "GOTOOLCHAIN=local", "GOWORK=off")})
	if err != nil {
		return "", fmt.Errorf("read Go's settings: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// readFlags takes from GOFLAGS what thimble can pass on, and refuses the rest by
// name: a flag that nobody wrote into the plan must not change a binary.
func (g *Go) readFlags(flags string) error {
	for f := range strings.FieldsSeq(flags) {
		name, value, _ := strings.Cut("-"+strings.TrimLeft(strings.Trim(f, `'"`), "-"), "=")
		switch name {
		case "-mod":
			g.ModMode = value
		case "-tags":
			g.Tags = strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
		case "-p":
			g.Parallel = value
		case "-buildvcs":
			g.Unstamped = value == "false"
		case "-modcacherw": // changes the module cache's modes and no binary
		default:
			shown := name // the value of another flag may be a secret
			if name == "-buildmode" {
				shown += "=" + value
			}
			return fmt.Errorf("read Go's settings: GOFLAGS has %s, which would change the binary behind the plan's back; "+
				"put it into Config, or take it out (go env -u GOFLAGS, or unset GOFLAGS in the environment)", shown)
		}
	}
	return nil
}

// Command is a call of the go command in the module's folder with the pinned
// environment and the given settings on top.
func (g *Go) Command(settings []string, args ...string) process.Command {
	env := slices.Concat(g.clean, g.pinned())
	if g.setting["GOPROXY"] == "off" {
		// With just "off", the go command stamps the version that a commit had when it was
		// first built, from its module cache, and not that of a tag which came later.
		env = append(env, "GOPROXY=off,off")
	}
	if g.Warm && g.Parallel == "" {
		env = append([]string{"GOGC=400"}, env...) // the user's own comes later, and wins
	}
	env = append(env, "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0", "GO111MODULE=on",
		"GOEXPERIMENT="+g.Experiment, "GOFIPS140="+cmp.Or(g.FIPS140, "off"),
		"GOWORK="+cmp.Or(g.Work, "off"), "GOTOOLCHAIN="+g.toolchain(), "PWD="+g.dir)
	return process.Command{Args: append([]string{g.bin}, args...), Dir: g.dir, Env: append(env, settings...)}
}

// User is a call of the go command in the user's own environment.
func (g *Go) User(args ...string) process.Command {
	return process.Command{Args: append([]string{g.bin}, args...), Dir: g.dir, Env: append(slices.Clone(g.user), "PWD="+g.dir)}
}

// Environment is the user's environment without any setting of Go's but where modules
// come from and where the caches are, with GOENV=off.
func (g *Go) Environment() []string {
	return append(slices.Concat(g.clean, g.pinned()), "GOENV=off")
}

// pinned are the settings of that name. Passwords are for fetching alone: see ForFetching.
func (g *Go) pinned() (env []string) {
	for _, name := range pinned {
		v := g.setting[name]
		if secret.IsWire(name) {
			v = secret.Bare(name, v)
		}
		if v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// ForFetching are the settings with a password, such as GOPROXY may have.
func (g *Go) ForFetching() (env []string) {
	for _, name := range pinned {
		if v := g.setting[name]; secret.IsWire(name) && secret.Bare(name, v) != v {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// UserEnv is the user's environment, without what a launcher added to it.
func (g *Go) UserEnv() []string { return slices.Clone(g.user) }

// Host is the platform that the go command runs on.
func (g *Go) Host() (goos, goarch string) { return g.setting["GOHOSTOS"], g.setting["GOHOSTARCH"] }

// Setting is one of `go env`'s values, such as GOAMD64.
func (g *Go) Setting(name string) string { return g.setting[name] }

// toolchain names this very toolchain. One that was built from source has no
// name that could be fetched: it is the local one.
func (g *Go) toolchain() string {
	if strings.HasPrefix(g.Version, "go1.") {
		return g.Version
	}
	return "local"
}

// withoutLauncher undoes what `go tool` and a toolchain switch do to the
// environment of the program they run: the service may use another toolchain.
func withoutLauncher(env []string) []string {
	kept := make([]string, 0, len(env))
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case strings.HasPrefix(name, "GOTOOLCHAIN_INTERNAL_"):
			continue
		case name == "GOROOT" && fetched(value):
			continue
		case name == "PATH":
			dirs := filepath.SplitList(value)
			for len(dirs) > 1 && fetched(dirs[0]) {
				dirs = dirs[1:]
			}
			e = "PATH=" + strings.Join(dirs, string(filepath.ListSeparator))
		}
		kept = append(kept, e)
	}
	return kept
}

// fetched says that a folder is part of a toolchain that the go command
// downloaded into the module cache.
func fetched(dir string) bool {
	return strings.Contains(filepath.ToSlash(dir), "/golang.org/toolchain@")
}

// withoutGo removes every variable that the go command or the C toolchain
// behind it would read.
func withoutGo(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "GOMAXPROCS", "GOMEMLIMIT", "GOGC": // how fast, not what
			return false
		case "CC", "CXX", "FC", "AR", "PKG_CONFIG", "GCCGO", "PWD",
			"CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "LD_RUN_PATH",
			"DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES":
			return true
		}
		return strings.HasPrefix(name, "GO") && !strings.HasPrefix(name, "GOOGLE_") ||
			strings.HasPrefix(name, "CGO_")
	})
}

// LookPath finds a program as the go command of an environment would.
func LookPath(name string, env []string) (string, error) { return lookProgram(name, env) }

// lookPath is exec.LookPath for another environment's PATH.
func lookPath(name string, env []string) (string, error) {
	for _, e := range slices.Backward(env) {
		path, ok := strings.CutPrefix(e, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(path) {
			if !filepath.IsAbs(dir) {
				continue
			}
			if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return found, nil
			}
		}
		return "", errors.New("go is not in PATH")
	}
	return exec.LookPath(name)
}

func isFile(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular()
}
