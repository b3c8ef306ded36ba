package compile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// fixture is a module of testdata/modules with a plan for it.
func fixture(t *testing.T, module string) (*gocmd.Go, *plan.Plan) {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("../../../testdata/modules", module))
	if err != nil {
		t.Fatal(err)
	}
	g, err := gocmd.Read(t.Context(), dir, append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOWORK="))
	if err != nil {
		t.Fatal(err)
	}
	return g, &plan.Plan{
		Module:    plan.Module{Path: "example.com/" + module, Dir: "."},
		Toolchain: plan.Toolchain{Version: g.Version, Mod: "readonly"},
		Build:     plan.Build{LDFlags: []string{"-s", "-w"}},
		Platforms: []plan.Platform{{OS: "linux", Architecture: "amd64"}},
		Images:    []plan.Image{{Name: module, Package: "example.com/" + module}},
	}
}

func prove(t *testing.T, path string, p *plan.Plan) error {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = Prove(f, p, programs(p, p.Platforms[0])[0])
	return err
}

func TestBuildForEveryVariant(t *testing.T) {
	testtool.OnRequest(t, "the standard library is compiled for other machines")
	g, p := fixture(t, "hello")
	dir := t.TempDir()
	for _, name := range []string{"darwin/arm64", "windows/amd64", "freebsd/arm/v6", "linux/amd64", "linux/amd64/v3", "linux/arm/v6", "linux/arm64", "linux/s390x", "linux/riscv64"} {
		platform, err := plan.ParsePlatform(name)
		if err != nil {
			t.Fatal(err)
		}
		p.Platforms = []plan.Platform{platform}
		if err := Build(t.Context(), g, p, programs(p, platform), dir); err != nil {
			t.Fatal(err)
		}
		if err := prove(t, Path(dir, programs(p, platform)[0]), p); err != nil {
			t.Error(err)
		}
	}
	p.Platforms[0].Variant = "" // what was compiled last, for another machine
	p.Platforms[0].Architecture = "amd64"
	if err := prove(t, filepath.Join(dir, "linux_riscv64", "hello"), p); err == nil || !strings.Contains(err.Error(), "EM_RISCV") {
		t.Errorf("a binary for another machine: %v", err)
	}
	if err := prove(t, filepath.Join(dir, "linux_amd64_v3", "hello"), p); err == nil || !strings.Contains(err.Error(), `GOAMD64 is "v3"`) {
		t.Errorf("a binary for another variant: %v", err)
	}
}

func TestUpToDateBinaryIsLeftAlone(t *testing.T) {
	g, p := fixture(t, "hello")
	dir := t.TempDir()
	build := func() os.FileInfo {
		if err := Build(t.Context(), g, p, programs(p, p.Platforms[0]), dir); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(Path(dir, programs(p, p.Platforms[0])[0]))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	if a, b := build(), build(); !os.SameFile(a, b) {
		t.Error("the second build linked again")
	}
}

func TestCompilerErrorKeepsItsLines(t *testing.T) {
	g, p := fixture(t, "hello")
	p.Images[0].Package = "example.com/hello/missing"
	err := Build(t.Context(), g, p, programs(p, p.Platforms[0]), t.TempDir())
	refused := new(Error)
	if !errors.As(err, &refused) || !strings.Contains(refused.Output, "missing") {
		t.Errorf("error = %v", err)
	}
}

// TestProveRefuses compiles what Build never would and wants the proof to say
// what is wrong with it.
func TestProveRefuses(t *testing.T) {
	testtool.NotShort(t)
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("needs a C compiler for linux/amd64, which TestProveRefuses has only there")
	}
	for _, test := range []struct {
		name, module string
		flags        []string
		env          string
		change       func(*plan.Plan)
		want         string
		is           error
	}{
		{name: "pie", module: "hello", flags: []string{"-buildmode=pie"}, want: "-buildmode=pie causes this", is: ErrDynamic},
		{name: "cgo", module: "cgo", env: "CGO_ENABLED=1", want: "libc.so.6", is: ErrDynamic},
		{name: "no trimpath", module: "hello", flags: []string{"-trimpath=false"}, want: "its -trimpath is"},
		{name: "tags", module: "hello", flags: []string{"-tags=x"}, want: `its -tags is "x"`},
		{name: "stamp of another commit", module: "hello", flags: []string{"-buildvcs=true"}, change: func(p *plan.Plan) { p.Build.Stamp, p.Revision = true, "abc" }, want: "its vcs.revision is", is: ErrStamp},
		{name: "stamp that nobody wants", module: "hello", flags: []string{"-buildvcs=true"}, want: `its vcs is "git", the plan's ""`, is: ErrStamp},
		{name: "no stamp", module: "hello", change: func(p *plan.Plan) { p.Build.Stamp, p.Revision = true, "abc" }},
		{name: "toolchain", module: "hello", change: func(p *plan.Plan) { p.Toolchain.Version = "go1.20" }, want: `the plan's "go1.20"`},
		{name: "package", module: "hello", change: func(p *plan.Plan) { p.Images[0].Package = "example.com/other" }, want: "its package is"},
		{name: "none", module: "hello"},
	} {
		t.Run(test.name, func(t *testing.T) {
			switch test.name {
			case "cgo":
				testtool.Program(t, "gcc")
			case "pie":
				testtool.OnRequest(t, "the standard library is compiled once more")
			}
			g, p := fixture(t, test.module)
			out := filepath.Join(t.TempDir(), "program")
			cmd := testtool.Command(t, "go", append(append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out}, test.flags...), p.Images[0].Package)...)
			cmd.Dir = filepath.Join("../../../testdata/modules", test.module)
			cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0", "GOWORK=off", test.env)
			if b, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			if test.change != nil {
				test.change(p)
			}
			err := prove(t, out, p)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error = %v, want %q", err, test.want)
			}
			_ = g
		})
	}
	_, p := fixture(t, "hello")
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("not an executable"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := prove(t, text, p); err == nil {
		t.Error("a text file passed")
	}
}

// TestCgo compiles the same program with cgo and without it, side by side.
func TestCgo(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("needs a C compiler for linux/amd64, which TestCgo has only there")
	}
	testtool.Program(t, "gcc")
	g, p := fixture(t, "cgo")
	if _, err := g.FindC(t.Context(), p.Platforms[0], ""); err != nil {
		t.Fatal(err)
	}
	p.Images[0].Cgo = true
	dir := t.TempDir()
	if err := Build(t.Context(), g, p, programs(p, p.Platforms[0]), dir); err != nil {
		t.Fatal(err)
	}
	file := Path(dir, programs(p, p.Platforms[0])[0])
	if err := prove(t, file, p); err != nil {
		t.Error(err)
	}
	p.Platforms[0].Architecture = "arm64"
	if err := prove(t, file, p); err == nil || !strings.Contains(err.Error(), "EM_X86_64") {
		t.Errorf("for another machine: %v", err)
	}
	p.Platforms[0].Architecture, p.Images[0].Cgo = "amd64", false
	if err := prove(t, file, p); !errors.Is(err, ErrDynamic) {
		t.Errorf("a plan without cgo: %v", err)
	}
	_, pure := fixture(t, "hello")
	pure.Images[0].Cgo = true
	g, _ = fixture(t, "hello")
	static := *pure
	static.Images = []plan.Image{{Name: "hello", Package: "example.com/hello"}}
	if err := Build(t.Context(), g, &static, programs(&static, p.Platforms[0]), dir); err != nil {
		t.Fatal(err)
	}
	if err := prove(t, Path(dir, programs(&static, p.Platforms[0])[0]), pure); err == nil || !strings.Contains(err.Error(), `its CGO_ENABLED is "0", the plan's "1"`) {
		t.Errorf("a binary without cgo: %v", err)
	}
}
