package gocmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/plan"
)

// ErrNoCompiler is the cause of an error of FindC if there is no C compiler for the platform.
var ErrNoCompiler = errors.New("no C compiler")

// triplets are Debian's names of architectures in compilers.
var triplets = map[string]string{
	"386": "i686-linux-gnu", "amd64": "x86_64-linux-gnu", "arm": "arm-linux-gnueabihf",
	"arm64":   "aarch64-linux-gnu",
	"loong64": "loongarch64-linux-gnu", "mips64le": "mips64el-linux-gnuabi64", "mipsle": "mipsel-linux-gnu",
	"ppc64le": "powerpc64le-linux-gnu", "riscv64": "riscv64-linux-gnu", "s390x": "s390x-linux-gnu",
}

// compiler is a C compiler as passed to the go command.
type compiler struct{ cc, cxx string }

// cSettings are the go command's settings for C. `go env` runs the C compiler for most of them,
// so Read does not ask for them.
var cSettings = []string{"CC", "CXX", "PKG_CONFIG", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS",
	"CGO_FFLAGS", "CGO_LDFLAGS"}

// readC reads the settings for C, once. As in GOFLAGS, flags that are not from the source are
// refused.
func (g *Go) readC(ctx context.Context) error {
	if g.forC != nil {
		return nil
	}
	out, err := process.Output(ctx, g.User(append([]string{"env", "-json"}, cSettings...)...))
	if err != nil {
		return fmt.Errorf("read Go's settings for C: %w", err)
	}
	forC := map[string]string{}
	if err := json.Unmarshal(out, &forC); err != nil {
		return fmt.Errorf("read Go's settings for C: go env: %w", err)
	}
	for _, name := range cSettings {
		if v := forC[name]; strings.HasPrefix(name, "CGO_") && v != "" && v != "-O2 -g" {
			return fmt.Errorf(
				"read Go's settings for C: %[1]s is set, which would change the binary but is not in the plan; "+
					"write the flags into the source, as a #cgo line, or remove them (go env -u %[1]s, or "+
					"unset %[1]s in the environment)", name)
		}
	}
	g.forC = forC
	return nil
}

// FindC finds the C compiler for a platform, and keeps it for Settings: the one in
// CC_FOR_linux_arm64 (or similar) of the environment, otherwise the configured one, otherwise
// Go's CC if it compiles for the platform, otherwise Debian's aarch64-linux-gnu-gcc (or similar).
// If there is none, the error names the package that has it.
func (g *Go) FindC(ctx context.Context, p plan.Platform, configured string) (plan.CCompiler, error) {
	c, err := g.findC(ctx, p, configured)
	if err != nil {
		return c, fmt.Errorf("find a C compiler for %s: %w", p, err)
	}
	return c, nil
}

func (g *Go) findC(ctx context.Context, p plan.Platform, configured string) (plan.CCompiler, error) {
	if err := g.readC(ctx); err != nil {
		return plan.CCompiler{}, err
	}
	variable := p.OS + "_" + p.Architecture
	named := cmp.Or(g.variable("CC_FOR_"+variable), configured)
	type candidate struct{ cc, cxx string }
	candidates := []candidate{{named, cmp.Or(g.variable("CXX_FOR_"+variable), cxxOf(named))}}
	if named == "" {
		candidates = []candidate{{g.forC["CC"], g.forC["CXX"]}}
		if t := triplets[p.Architecture]; t != "" && p.OS == "linux" {
			candidates = append(candidates, candidate{t + "-gcc", t + "-g++"})
		}
	}
	var tried []string
	for _, c := range candidates {
		found, err := g.ask(ctx, c.cc)
		switch {
		case errors.Is(err, exec.ErrNotFound):
			tried = append(tried, fmt.Sprintf("%s is not in PATH", c.cc))
		case err != nil:
			return found, err
		case !targets(found.Target, p):
			tried = append(tried, fmt.Sprintf("%s compiles for %s", c.cc, found.Target))
		default:
			found.Platform = p
			if g.c == nil {
				g.c = map[plan.Platform]compiler{}
			}
			g.c[p] = compiler(c)
			return found, nil
		}
	}
	remedy := ""
	if t := triplets[p.Architecture]; t != "" && p.OS == "linux" {
		remedy = "install Debian's gcc-" + strings.ReplaceAll(t, "_", "-") + ", or "
		if p.OS == g.setting["GOHOSTOS"] && p.Architecture == g.setting["GOHOSTARCH"] {
			remedy = "install gcc, or "
		}
	}
	return plan.CCompiler{}, fmt.Errorf("%w: %s; %sset one in CC_FOR_%s or in Config.CC", ErrNoCompiler,
		strings.Join(tried, ", "), remedy, variable)
}

// variable returns one of the user's variables; empty if it is not set.
func (g *Go) variable(name string) string {
	for _, e := range slices.Backward(g.user) {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// ask asks a compiler for its version and target.
func (g *Go) ask(ctx context.Context, command string) (c plan.CCompiler, err error) {
	args, err := words(command)
	if err != nil {
		return c, err
	}
	if strings.ContainsAny(args[0], `/\`) && !filepath.IsAbs(args[0]) {
		return c, fmt.Errorf("%s is a relative path; write the absolute path of the compiler", args[0])
	}
	c.Command = strings.Join(append([]string{filepath.Base(args[0])}, args[1:]...), " ")
	if args[0], err = lookProgram(args[0], g.user); err != nil {
		return c, fmt.Errorf("%s: %w", c.Command, exec.ErrNotFound)
	}
	line := func(flag string) string {
		out, failed := process.Output(ctx, process.Command{Args: append(slices.Clone(args), flag),
			Dir: g.dir, Env: g.clean})
		if failed != nil && err == nil {
			err = fmt.Errorf("ask %s: %w", c.Command, failed)
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return strings.TrimSpace(first)
	}
	c.Target, c.Version = line("-dumpmachine"), line("--version")
	return c, err
}

// lookProgram finds a program as the go command would.
func lookProgram(name string, env []string) (string, error) {
	if strings.ContainsAny(name, `/\`) {
		return exec.LookPath(name)
	}
	return lookPath(name, env)
}

// words splits a command as the go command does: at spaces outside of quotes of either kind.
func words(command string) (list []string, err error) {
	for rest := strings.TrimLeft(command, " \t\n"); rest != ""; rest = strings.TrimLeft(rest, " \t\n") {
		if quote := rest[0]; quote == '\'' || quote == '"' {
			word, after, ok := strings.Cut(rest[1:], string(quote))
			if !ok {
				return nil, fmt.Errorf("the command %s has a quote that does not end", command)
			}
			list, rest = append(list, word), after
			continue
		}
		end := strings.IndexAny(rest, " \t\n")
		if end < 0 {
			end = len(rest)
		}
		list, rest = append(list, rest[:end]), rest[end:]
	}
	if len(list) == 0 {
		return nil, errors.New("the command is empty")
	}
	return list, nil
}

var cName = regexp.MustCompile(`(^|[-/\\])(gcc|clang|cc)((?:-[0-9.]+)?(?:\.exe)?)( |$)`)

// cxxOf returns the C++ compiler that belongs to a C compiler; empty if the name is unknown.
func cxxOf(cc string) string {
	if !cName.MatchString(cc) {
		return ""
	}
	return cName.ReplaceAllStringFunc(cc, func(s string) string {
		return strings.NewReplacer("gcc", "g++", "clang", "clang++", "cc", "c++").Replace(s)
	})
}

// machines are the compilers' names of architectures (the first word of -dumpmachine).
var machines = map[string]*regexp.Regexp{
	"386": regexp.MustCompile(`^i[3-6]86$`), "amd64": regexp.MustCompile(`^(x86_64|amd64)$`),
	"arm": regexp.MustCompile(`^arm(v[5-8].*)?$`), "arm64": regexp.MustCompile(`^(aarch64|arm64)$`),
	"loong64": regexp.MustCompile(`^loongarch64$`), "mips": regexp.MustCompile(`^mips$`),
	"mipsle":   regexp.MustCompile(`^mipsel$`),
	"mips64":   regexp.MustCompile(`^mips(isa)?64(r6)?$`),
	"mips64le": regexp.MustCompile(`^mips(isa)?64(r6)?el$`),
	"ppc64":    regexp.MustCompile(`^(powerpc|ppc)64$`), "ppc64le": regexp.MustCompile(`^(powerpc|ppc)64le$`),
	"riscv64": regexp.MustCompile(`^riscv64$`), "s390x": regexp.MustCompile(`^s390x$`),
}

// targets says whether a compiler's target is a platform.
func targets(target string, p plan.Platform) bool {
	machine, rest, _ := strings.Cut(target, "-")
	known := machines[p.Architecture]
	if known == nil || !known.MatchString(machine) {
		return false
	}
	switch p.OS {
	case "linux":
		return strings.Contains(rest, "linux") && !strings.Contains(rest, "android")
	case "windows":
		return strings.Contains(rest, "mingw") || strings.Contains(rest, "windows")
	}
	return strings.Contains(rest, p.OS)
}

// CEnvironment returns the user's variables that name the programs which compile C.
func (g *Go) CEnvironment() (env []string) {
	for _, e := range g.user {
		name, _, _ := strings.Cut(e, "=")
		if name == "CC" || name == "CXX" || name == "PKG_CONFIG" || strings.HasPrefix(name, "CC_FOR_") ||
			strings.HasPrefix(name, "CXX_FOR_") {
			env = append(env, e)
		}
	}
	return env
}

// Settings returns the settings of the go command for the programs of an image on a platform. With
// cgo, FindC must have been called for the platform.
func (g *Go) Settings(p plan.Platform, img plan.Image) []string {
	env := p.Env()
	if img.FIPS140 != "" {
		env = append(env, "GOFIPS140="+img.FIPS140)
	}
	if !img.Cgo {
		return env
	}
	c := g.c[p]
	if g.CState != "" { // an unused macro, so that the compiled code stays the same
		c.cc += " -DTHIMBLE_C_STATE=" + g.CState
	}
	// The C preprocessor's date is constant. It is not a commit's time, since the go command's
	// cache does not include it.
	env = append(env, "CGO_ENABLED=1", "CC="+c.cc, "PKG_CONFIG="+g.forC["PKG_CONFIG"], "SOURCE_DATE_EPOCH=0")
	if c.cxx != "" {
		env = append(env, "CXX="+c.cxx)
	}
	return env
}
