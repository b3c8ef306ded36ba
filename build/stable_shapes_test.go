package build_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/plan"
)

// What counts as an input, in every shape of a repository: a commit touches the file, and
// the image has its revision, or that of the commit before.
func TestInputsOfShapes(t *testing.T) {
	assets := []build.ImageConfig{{Package: ".", Assets: []build.Asset{{Source: "static", Target: "/static"}}}}
	for _, shape := range []struct {
		module string
		config build.Config
		inputs []string
		others []string
	}{
		{
			"workspace", build.Config{Dir: "service"},
			[]string{"service/new.go", "lib/new.go", "go.work", "service/go.mod", "lib/go.mod", "service/LICENSE", "LICENSE", "lib/COPYING"},
			[]string{"README.md", "lib/README.md", "lib/other/x.go", "lib/lib_test.go", "service/x.txt", "thimble.lock.json", "magefiles/magefile.go"},
		},
		{
			"vendored", build.Config{},
			[]string{"vendor/modules.txt", "vendor/example.com/greet/new.go", "vendor/example.com/greet/LICENSE", "go.mod", "default.pgo"},
			[]string{"greet/greet.go", "vendor/example.com/other/other.go", "vendor/example.com/greet/x_test.go"},
		},
		{"replaced", build.Config{}, []string{"greet/new.go", "greet/go.mod", "main.go", "asm_amd64.s"}, []string{"greet/sub/x.go", "Makefile"}},
		{"subfolder", build.Config{Dir: "service"}, []string{"service/go.sum", "LICENSE.md"}, []string{"go.mod", "main.go", "service/cmd/README"}},
		{"embedded", build.Config{}, []string{"static/new.txt", "static/sub/x_test.go"}, []string{"x_test.go", "static.txt"}},
		{"hello", build.Config{Images: assets}, []string{"static/a/b.css", "static/x_test.go"}, []string{"statics/a", "x_test.go"}},
		{"several", build.Config{Images: []build.ImageConfig{{Package: "./cmd/jobs/worker"}}}, []string{"cmd/jobs/worker/x.go", "LICENSES/MIT.txt"}, []string{"cmd/API/x.go", "main2.go"}},
	} {
		t.Run(shape.module, func(t *testing.T) {
			t.Parallel()
			m := &monorepo{TB: t, dir: module(t, shape.module), env: environment()}
			m.write("static/keep.txt", "kept\n")
			m.write("asm_amd64.s", "// nothing\n")
			m.write(filepath.Join(shape.config.Dir, "go.sum"), "")
			m.commit("all")
			// of is the revision of the image's inputs.
			of := func() string {
				t.Helper()
				p, err := build.Plan(t.Context(), options(t, m.dir, func(o *settings) {
					o.Env, o.Config = m.env, shape.config
					o.Config.StableDigests = true
				}).Options)
				ok(t, err)
				return inputsOf(p).Revision
			}
			for _, input := range shape.inputs {
				m.append(input)
				if want := m.commit(input); of() != want {
					t.Errorf("%s is no input", input)
				}
			}
			before := of()
			for _, other := range shape.others {
				m.append(other)
				m.commit(other)
				if of() != before {
					t.Errorf("%s is an input", other)
				}
			}
		})
	}
}

// append adds an empty line to a file, which is made if it is missing: a source of the
// package in its folder, else a text.
func (m *monorepo) append(name string) {
	m.Helper()
	content, err := os.ReadFile(filepath.Join(m.dir, filepath.FromSlash(name)))
	folder := filepath.Base(filepath.Dir(name))
	switch {
	case err == nil || filepath.Ext(name) == ".pgo":
	case filepath.Ext(name) != ".go":
		content = []byte("x")
	case folder == "lib" || folder == "greet":
		content = []byte("package " + folder)
	default:
		content = []byte("package main")
	}
	if filepath.Ext(name) != ".pgo" {
		content = append(content, '\n')
	}
	m.write(name, string(content))
}

// inputsOf are those of the first image.
func inputsOf(p *plan.Plan) *plan.Inputs { return p.Images[0].Inputs }

// Where branches were merged, the commit counts that brought what there is.
func TestInputsOfMerges(t *testing.T) {
	t.Parallel()
	m := &monorepo{TB: t, dir: module(t, "hello"), env: environment(), day: 1}
	of := func() string {
		t.Helper()
		p, err := build.Plan(t.Context(), options(t, m.dir, func(o *settings) { o.Config.StableDigests = true }).Options)
		ok(t, err)
		return inputsOf(p).Revision
	}
	first := of()
	m.run("git", "checkout", "-q", "-b", "side")
	m.write("more.go", "package main\n")
	side := m.commit("on a branch")
	m.run("git", "checkout", "-q", "main")
	m.write("README.md", "x\n")
	m.commit("on main")
	if of() != first {
		t.Error("a README is an input")
	}
	m.run("git", "merge", "-q", "--no-edit", "side")
	if of() != side {
		t.Errorf("after the merge it is %s, want that of the branch, %s", of(), side)
	}
	m.run("git", "revert", "--no-edit", "-m1", "HEAD")
	if reverted := m.run("git", "rev-parse", "HEAD"); of() != reverted {
		t.Errorf("after the revert it is %s, want %s", of(), reverted)
	}
}
