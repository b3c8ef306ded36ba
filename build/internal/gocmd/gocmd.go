// Package gocmd runs the go command and pins everything that could change its output. Read calls
// `go env` once to find the user's settings in the service's folder. After that the go command
// gets an explicit environment (GOENV=off), so that a `go env -w` or an unexpected variable
// cannot change a binary.
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

// Go is a go command and the settings for one module.
type Go struct {
	// Version is GOVERSION, such as "go1.26.8"; Root is GOROOT.
	Version, Root string
	// Mod is the main module's go.mod, Work the active go.work; "" if there is none.
	Mod, Work string
	// ModMode is -mod: "readonly", "vendor" or "mod". Tags and Parallel are
	// GOFLAGS' -tags and -p; Unstamped is its -buildvcs=false.
	ModMode  string
	Tags     []string
	Parallel string
	// Warm says that there is little to compile. The go command then collects garbage less often
	// and takes up to a sixth less time. It does not do so if the number of compilers is limited,
	// and with it their memory.
	Warm      bool
	Unstamped bool
	// CState changes with every file that C may include. The go command's cache knows only the
	// headers in a package's folder, and would reuse objects compiled with other headers.
	CState string
	// AssemblyStates are the same for files that Go's assembler includes, by platform and
	// package. The other packages are left out.
	AssemblyStates map[plan.Platform]map[string]string
	// Experiment is GOEXPERIMENT, FIPS140 GOFIPS140, "" for the default.
	Experiment, FIPS140 string

	dir     string
	bin     string
	user    []string          // the user's environment, without the launcher's overrides
	clean   []string          // user without Go's settings
	setting map[string]string // the values of `go env`
	forC    map[string]string // its values for C, after FindC
	c       map[plan.Platform]compiler
}

// pinned are the settings that are passed unchanged to the go command: where it finds modules and
// keeps its caches. None of them changes its output.
var pinned = []string{
	"GOAUTH", "GOCACHE", "GOCACHEPROG", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB",
	"GOPATH", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOTMPDIR", "GOVCS",
}

// asked are the settings that Read asks for. `go env` without names would run the C compiler.
var asked = append([]string{
	"GOVERSION", "GOROOT", "GOMOD", "GOWORK", "GOFLAGS", "GOEXPERIMENT", "GOFIPS140",
	"GOAMD64", "GOARM", "GOARM64", "GO386", "GOPPC64", "GORISCV64", "GOHOSTOS", "GOHOSTARCH",
}, pinned...)

// Read reads the go command's settings in the module's folder dir with the user's environment
// env. The call gets the variables in more, too, because it may fetch a toolchain; see Fetch.
func Read(ctx context.Context, dir string, env []string, more ...string) (*Go, error) {
	user := withoutLauncher(env)
	bin, err := lookPath("go", user)
	if err != nil {
		return nil, fmt.Errorf(
			"find the go command: %w; install Go from https://go.dev/dl and put it into PATH", err)
	}
	out, err := process.Output(ctx, process.Command{Args: append([]string{bin, "env", "-json"}, asked...),
		Dir: dir, Env: slices.Concat(user, more)})
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

// Proxy returns the active GOPROXY outside of any module: a module could require another
// toolchain, which the go command would fetch first.
func Proxy(ctx context.Context, env []string) (string, error) {
	user := withoutLauncher(env)
	bin, err := lookPath("go", user)
	if err != nil {
		return "", fmt.Errorf(
			"find the go command: %w; install Go from https://go.dev/dl and put it into PATH", err)
	}
	root := string(filepath.Separator)
	if wd, err := os.Getwd(); err == nil {
		root = filepath.VolumeName(wd) + root
	}
	out, err := process.Output(ctx, process.Command{Args: []string{bin, "env", "GOPROXY"}, Dir: root,
		Env: append(user, "GOTOOLCHAIN=local", "GOWORK=off")})
	if err != nil {
		return "", fmt.Errorf("read Go's settings: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// readFlags takes from GOFLAGS the flags that thimble can pass on, and refuses the others by
// name: a flag that is not in the plan must not change a binary.
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
		case "-modcacherw": // changes the module cache's modes, but no binary
		default:
			shown := name // the value of another flag may be a secret
			if name == "-buildmode" {
				shown += "=" + value
			}
			return fmt.Errorf(
				"read Go's settings: GOFLAGS has %s, which would change the binary but is not in the plan; "+
					"put it into Config, or remove it (go env -u GOFLAGS, or unset GOFLAGS in the "+
					"environment)",
				shown)
		}
	}
	return nil
}

// Command returns a call of the go command in the module's folder with the pinned environment and
// the given settings on top.
func (g *Go) Command(settings []string, args ...string) process.Command {
	env := slices.Concat(g.clean, g.pinned())
	if g.setting["GOPROXY"] == "off" {
		// With just "off", the go command stamps the version that a commit had when it was first
		// built, from its module cache, and not that of a later tag.
		env = append(env, "GOPROXY=off,off")
	}
	if g.Warm && g.Parallel == "" {
		env = append([]string{"GOGC=400"}, env...) // the user's value comes later and overrides it
	}
	env = append(env, "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0", "GO111MODULE=on",
		"GOEXPERIMENT="+g.Experiment, "GOFIPS140="+cmp.Or(g.FIPS140, "off"),
		"GOWORK="+cmp.Or(g.Work, "off"), "GOTOOLCHAIN="+g.toolchain(), "PWD="+g.dir)
	return process.Command{Args: append([]string{g.bin}, args...), Dir: g.dir, Env: append(env, settings...)}
}

// User returns a call of the go command in the user's environment.
func (g *Go) User(args ...string) process.Command {
	return process.Command{Args: append([]string{g.bin}, args...), Dir: g.dir,
		Env: append(slices.Clone(g.user), "PWD="+g.dir)}
}

// Environment returns the user's environment with GOENV=off. Of Go's settings it keeps only those
// for the source of modules and for the caches.
func (g *Go) Environment() []string {
	return append(slices.Concat(g.clean, g.pinned()), "GOENV=off")
}

// pinned returns the settings of that name. Passwords are only for fetching: see ForFetching.
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

// ForFetching returns the settings with a password, for example in GOPROXY.
func (g *Go) ForFetching() (env []string) {
	for _, name := range pinned {
		if v := g.setting[name]; secret.IsWire(name) && secret.Bare(name, v) != v {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// UserEnv returns the user's environment, without the launcher's additions.
func (g *Go) UserEnv() []string { return slices.Clone(g.user) }

// Host returns the platform that the go command runs on.
func (g *Go) Host() (goos, goarch string) { return g.setting["GOHOSTOS"], g.setting["GOHOSTARCH"] }

// Setting returns one of `go env`'s values, such as GOAMD64.
func (g *Go) Setting(name string) string { return g.setting[name] }

// toolchain returns the name of this toolchain. One that was built from source cannot be fetched
// by name: it is the local one.
func (g *Go) toolchain() string {
	if strings.HasPrefix(g.Version, "go1.") {
		return g.Version
	}
	return "local"
}

// withoutLauncher undoes the changes of `go tool` and of a toolchain switch to the environment:
// the service may use another toolchain.
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

// fetched says whether a folder is part of a toolchain that the go command downloaded into the
// module cache.
func fetched(dir string) bool {
	return strings.Contains(filepath.ToSlash(dir), "/golang.org/toolchain@")
}

// withoutGo removes every variable that the go command or its C toolchain would read.
func withoutGo(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "GOMAXPROCS", "GOMEMLIMIT", "GOGC": // they change the speed, not the output
			return false
		case "CC", "CXX", "FC", "AR", "PKG_CONFIG", "GCCGO", "PWD",
			"CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH",
			"GCC_EXEC_PREFIX", "LD_RUN_PATH",
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
