//go:build unix

package gocmd

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

func TestFindC(t *testing.T) {
	testtool.NotShort(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/m\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// Compilers that say what they are, and can do no more.
	bin := filepath.Join(dir, "bin dir")
	for name, target := range map[string]string{
		"gcc": "x86_64-linux-gnu", "aarch64-linux-gnu-gcc": "aarch64-linux-gnu", "musl-clang": "x86_64-pc-linux-musl", "bionic": "aarch64-linux-android21",
	} {
		script := "#!/bin/sh\ncase $* in *-dumpmachine) echo " + target + ";; *--version) printf '" + name + " 14.2.0\\nCopyright\\n';; *) exit 1;; esac\n"
		if err := errors.Join(os.MkdirAll(bin, 0o755), os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		platform, configured string
		env                  []string
		want                 plan.CCompiler // without the platform
		settings             []string
		err                  string
	}{
		"native":              {"linux/amd64", "", nil, plan.CCompiler{Command: "gcc", Target: "x86_64-linux-gnu", Version: "gcc 14.2.0"}, []string{"CGO_ENABLED=1", "CC=gcc", "CXX=g++"}, ""},
		"CC":                  {"linux/amd64", "", []string{"CC=musl-clang -static-pie"}, plan.CCompiler{Command: "musl-clang -static-pie", Target: "x86_64-pc-linux-musl", Version: "musl-clang 14.2.0"}, []string{"CC=musl-clang -static-pie"}, ""},
		"cross":               {"linux/arm64", "", nil, plan.CCompiler{Command: "aarch64-linux-gnu-gcc", Target: "aarch64-linux-gnu", Version: "aarch64-linux-gnu-gcc 14.2.0"}, []string{"CC=aarch64-linux-gnu-gcc", "CXX=aarch64-linux-gnu-g++"}, ""},
		"CC of one platform":  {"linux/arm64", "", []string{"CC=aarch64-linux-gnu-gcc"}, plan.CCompiler{Command: "aarch64-linux-gnu-gcc", Target: "aarch64-linux-gnu", Version: "aarch64-linux-gnu-gcc 14.2.0"}, nil, ""},
		"configured":          {"linux/amd64", "musl-clang", nil, plan.CCompiler{Command: "musl-clang", Target: "x86_64-pc-linux-musl", Version: "musl-clang 14.2.0"}, []string{"CC=musl-clang", "CXX=musl-clang++"}, ""},
		"environment wins":    {"linux/amd64", "musl-clang", []string{"CC_FOR_linux_amd64=gcc -O1", "CXX_FOR_linux_amd64=c++"}, plan.CCompiler{Command: "gcc -O1", Target: "x86_64-linux-gnu", Version: "gcc 14.2.0"}, []string{"CC=gcc -O1", "CXX=c++"}, ""},
		"a path with a space": {"linux/amd64", "'" + filepath.Join(bin, "gcc") + "' -O1", nil, plan.CCompiler{Command: "gcc -O1", Target: "x86_64-linux-gnu", Version: "gcc 14.2.0"}, nil, ""},
		"none":                {"linux/riscv64", "", nil, plan.CCompiler{}, nil, "gcc compiles for x86_64-linux-gnu, riscv64-linux-gnu-gcc is not in PATH; install Debian's gcc-riscv64-linux-gnu, or set one in CC_FOR_linux_riscv64 or in Config.CC"},
		"none for this one":   {"linux/amd64", "", []string{"PATH=" + goAlone(t)}, plan.CCompiler{}, nil, "x86_64-linux-gnu-gcc is not in PATH; install "},
		"another system":      {"windows/amd64", "", nil, plan.CCompiler{}, nil, "gcc compiles for x86_64-linux-gnu; set one in CC_FOR_windows_amd64 or in Config.CC"},
		"Android":             {"linux/arm64", "bionic", nil, plan.CCompiler{}, nil, "bionic compiles for aarch64-linux-android21"},
		"not a compiler":      {"linux/amd64", "false", nil, plan.CCompiler{}, nil, "ask false: false -dumpmachine: exit status 1"},
		"a relative path":     {"linux/amd64", "bin/gcc", nil, plan.CCompiler{}, nil, "write the absolute path of the compiler"},
		"half a quote":        {"linux/amd64", "'gcc", nil, plan.CCompiler{}, nil, "a quote that does not end"},
		"flags of nowhere":    {"linux/amd64", "", []string{"CGO_LDFLAGS=-lm"}, plan.CCompiler{}, nil, "CGO_LDFLAGS is set"},
	} {
		t.Run(name, func(t *testing.T) {
			env := slices.Concat(os.Environ(), []string{
				"GOENV=off", "GOFLAGS=", "GOWORK=off", "CC=", "CXX=", "PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH"),
			}, test.env)
			g, err := Read(t.Context(), dir, env)
			if err != nil {
				t.Fatal(err)
			}
			p, err := plan.ParsePlatform(test.platform)
			if err != nil {
				t.Fatal(err)
			}
			got, err := g.FindC(t.Context(), p, test.configured)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want %q", err, test.err)
				}
				return
			}
			if test.want.Platform = p; err != nil || got != test.want {
				t.Fatalf("it is %+v, %v; want %+v", got, err, test.want)
			}
			settings := g.Settings(p, plan.Image{Cgo: true})
			for _, want := range test.settings {
				if !slices.Contains(settings, want) {
					t.Errorf("the settings %q lack %s", settings, want)
				}
			}
			if off := g.Settings(p, plan.Image{}); !slices.Equal(off, p.Env()) {
				t.Errorf("without cgo the settings are %q", off)
			}
		})
	}
}

// goAlone is a folder with the go command and nothing else.
func goAlone(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	g, err := lookPath("go", os.Environ())
	if err == nil {
		err = os.Symlink(g, filepath.Join(dir, "go"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
