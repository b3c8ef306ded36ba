package discover

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/plan"
)

var update = flag.Bool("update", false, "write the wanted results into testdata")

// TestRepositories reads small repositories, each in a file of testdata that ends with the wanted
// result: programs and their settings with the places, what is left out and why, disagreements,
// and the outcome of each line.
func TestRepositories(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(names) < 10 {
		t.Fatalf("%d repositories, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			root := t.TempDir()
			var want []byte
			at := -1
			for i, f := range archive.Files {
				if f.Name == "WANT" {
					want, at = f.Data, i
					continue
				}
				file := filepath.Join(root, filepath.FromSlash(f.Name))
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, f.Data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got := []byte(report(t, root))
			if string(got) == string(want) {
				return
			}
			if !*update {
				t.Fatalf("%s", diff.Diff("want", want, "got", got))
			}
			if at < 0 {
				archive.Files = append(archive.Files, txtar.File{Name: "WANT"})
				at = len(archive.Files) - 1
			}
			archive.Files[at].Data = got
			if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// report returns all that was found in a repository.
func report(t *testing.T, root string) string {
	tree, err := mains.Look(root, plan.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) (string, bool) {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		return string(text), err == nil
	}
	files := Read(tree, read)
	choice := Choose(tree, files.Sources(tree))
	sources := files.WithDefaults(tree, choice.Sources)
	programs, disagreements := finding.Merge(sources)
	programs = Finish(tree, programs)
	var b strings.Builder
	for _, p := range programs {
		fmt.Fprintf(&b, "image %s\n", show(p.Module, p.Package))
		for _, l := range settings(p) {
			fmt.Fprintf(&b, "  %s\n", l)
		}
	}
	for _, l := range choice.Left {
		fmt.Fprintf(&b, "not %s: %s\n", show(l.Module, l.Package), l.Reason)
	}
	for _, d := range disagreements {
		fmt.Fprintf(&b, "disagree %s of %s: %s (%s), not %s (%s)\n", d.Setting, show(d.Module, d.Package), d.Choice, d.ChoiceFrom, d.Loser, d.LoserFrom)
	}
	for _, s := range sources {
		for _, l := range Settle(s.Lines, programs) {
			fmt.Fprintf(&b, "%s %s: %s (%s)", l.Place, l.Outcome, l.Text, l.Reason)
			if l.Write != "" {
				fmt.Fprintf(&b, " write %s", l.Write)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func show(module, pkg string) string {
	if module == "" {
		return pkg
	}
	return module + " " + pkg
}

func settings(p finding.Program) (all []string) {
	add := func(name, value string, from finding.Place) {
		all = append(all, fmt.Sprintf("%s %s # %s", name, value, from))
	}
	values := func(name string, list []finding.Value[string]) {
		for _, v := range list {
			add(name, v.Value, v.From)
		}
	}
	add("from", "", p.From)
	if p.Name.Set() {
		add("name", p.Name.Value, p.Name.From)
	}
	if p.Build.Cgo.Set() {
		add("cgo", fmt.Sprint(p.Build.Cgo.Value), p.Build.Cgo.From)
	}
	values("flag", p.Build.LDFlags)
	values("tag", p.Build.Tags)
	values("platform", p.Build.Platforms)
	if p.Runtime.Base.Set() {
		add("base", p.Runtime.Base.Value, p.Runtime.Base.From)
	}
	values("env", p.Runtime.Env)
	values("label", p.Runtime.Labels)
	values("capability", p.Runtime.Capabilities)
	for _, a := range p.Runtime.Assets {
		add("asset", a.Value.Source+" "+a.Value.Target, a.From)
	}
	return all
}

// TestChoose decides between sources of different kinds.
func TestChoose(t *testing.T) {
	tree := &mains.Tree{Mains: []mains.Main{
		{Package: ".", Usual: true, Runs: true}, {Package: "./cmd/api", Usual: true, Runs: true}, {Package: "./cmd/ctl", Usual: true, Runs: true},
		{Package: "./internal/x", Left: "it is internal", Runs: true}, {Package: "./server", Runs: true},
	}}
	program := func(pkg string, further ...string) finding.Program {
		p := finding.Program{Package: pkg, From: finding.Place{File: "f", Line: 1}}
		for _, f := range further {
			p.Programs = append(p.Programs, finding.Found(f, p.From))
		}
		return p
	}
	source := func(kind finding.Kind, programs ...finding.Program) finding.Source {
		return finding.Source{Kind: kind, File: string(kind), Programs: programs}
	}
	for _, test := range []struct {
		name    string
		sources []finding.Source
		want    []string
		left    map[string]string
	}{
		{"nothing", nil, []string{".", "./cmd/api", "./cmd/ctl"}, map[string]string{"./server": "it is not under cmd/ or at the root"}},
		{"makefile", []finding.Source{source(finding.Makefile, program("./cmd/api"), program("./internal/x"))}, []string{"./cmd/api"},
			map[string]string{".": "no file builds or ships it", "./internal/x": "it is internal, though f:1 builds it"}},
		{"dockerfile wins", []finding.Source{source(finding.Dockerfile, program("./server")), source(finding.Makefile, program("./cmd/ctl"))}, []string{"./server"},
			map[string]string{"./cmd/ctl": "only f:1 builds it, and dockerfile says what is shipped"}},
		{"all that is shipped", []finding.Source{source(finding.Dockerfile, program("./cmd/api")), source(finding.GoReleaser, program("./cmd/ctl"))}, []string{"./cmd/api", "./cmd/ctl"}, nil},
		{"two in one image", []finding.Source{source(finding.Dockerfile, program("./cmd/api", "./cmd/ctl")), source(finding.GoReleaser, program("./cmd/api"), program("./cmd/ctl"))}, []string{"./cmd/api"},
			map[string]string{"./cmd/ctl": "it is in another image: f:1"}},
		{"only internal", []finding.Source{source(finding.Dockerfile, program("./internal/x"))}, []string{"./internal/x"}, nil},
	} {
		c := Choose(tree, test.sources)
		programs, _ := finding.Merge(c.Sources)
		var got []string
		for _, p := range programs {
			got = append(got, p.Package)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if len(got)+len(c.Left) != len(tree.Mains) {
			t.Errorf("%s: a program is neither taken nor left out: %+v", test.name, c.Left)
		}
		for pkg, reason := range test.left {
			if !slices.Contains(c.Left, LeftOut{Package: pkg, Reason: reason}) {
				t.Errorf("%s: %s is left out for another reason than %q: %+v", test.name, pkg, reason, c.Left)
			}
		}
	}
}
