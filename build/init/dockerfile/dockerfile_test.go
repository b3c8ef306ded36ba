package dockerfile

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
)

var update = flag.Bool("update", false, "write what Read returns to the files in testdata")

// unpack makes the files of a repository, and its main packages, of a txtar archive.
func unpack(archive *txtar.Archive) (finding.Files, []finding.Main) {
	tree := fstest.MapFS{}
	var files finding.Files
	var mains []finding.Main
	modules := map[string]string{}
	for _, f := range archive.Files {
		if strings.HasPrefix(f.Name, "want") {
			continue
		}
		tree[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		files.Names = append(files.Names, f.Name)
		if path.Base(f.Name) == "go.mod" {
			dir := path.Dir(f.Name)
			if dir == "." {
				dir = ""
			}
			modules[dir] = strings.Fields(string(f.Data))[1]
		}
	}
	slices.Sort(files.Names)
	files.FS = tree
	for _, name := range files.Names {
		b, _ := fs.ReadFile(tree, name)
		if path.Base(name) != "main.go" || !strings.HasPrefix(string(b), "package main") {
			continue
		}
		dir := path.Dir(name)
		module := dir
		for module != "." && modules[module] == "" {
			module = path.Dir(module)
		}
		if module == "." {
			module = ""
		}
		m := finding.Main{Module: module, ModulePath: modules[module], Package: "."}
		m.Binary = path.Base(m.ModulePath)
		if rel := strings.TrimPrefix(strings.TrimPrefix(dir, module), "/"); dir != "." && rel != "" {
			m.Package, m.Binary = "./"+rel, path.Base(rel)
		}
		mains = append(mains, m)
	}
	return files, mains
}

// describe writes a source as the files in testdata have it.
func describe(s finding.Source) string {
	var b strings.Builder
	for _, p := range s.Programs {
		fmt.Fprintf(&b, "image %s (%s)\n", path.Join(p.Module, p.Package), p.From)
		line := func(name string, value any, from finding.Place) {
			fmt.Fprintf(&b, "  %-14s %v (%d)\n", name, value, from.Line)
		}
		texts := func(name string, values []finding.Value[string]) {
			for _, v := range values {
				line(name, v.Value, v.From)
			}
		}
		texts("program", p.Programs)
		texts("ldflags", p.Build.LDFlags)
		texts("tags", p.Build.Tags)
		texts("go env", p.Build.Env)
		if p.Build.Cgo.Set() {
			line("cgo", p.Build.Cgo.Value, p.Build.Cgo.From)
		}
		for _, v := range p.Build.Before {
			line("before", fmt.Sprintf("%q", v.Value), v.From)
		}
		r := p.Runtime
		if r.Base.Set() {
			line("base", r.Base.Value, r.Base.From)
		}
		texts("package", r.Packages)
		if r.Entrypoint.Set() {
			line("entrypoint", fmt.Sprintf("%q", r.Entrypoint.Value), r.Entrypoint.From)
		}
		if r.Args.Set() {
			line("args", fmt.Sprintf("%q", r.Args.Value), r.Args.From)
		}
		if r.User.Set() {
			line("user", r.User.Value, r.User.From)
		}
		texts("env", r.Env)
		texts("port", r.Ports)
		if r.WorkingDir.Set() {
			line("workdir", r.WorkingDir.Value, r.WorkingDir.From)
		}
		if r.StopSignal.Set() {
			line("stop", r.StopSignal.Value, r.StopSignal.From)
		}
		texts("label", r.Labels)
		if r.Healthcheck.Set() {
			h := r.Healthcheck.Value
			line("health", fmt.Sprintf("%q %v %v %v %d", h.Command, h.Interval, h.Timeout, h.Start, h.Retries), r.Healthcheck.From)
		}
		texts("volume", r.Volumes)
		for _, v := range r.Assets {
			a := v.Value
			line("asset", fmt.Sprintf("%s -> %s %#o %d:%d", a.Source, a.Target, a.Mode, a.UID, a.GID), v.From)
		}
		for _, v := range r.Symlinks {
			line("symlink", v.Value.Path+" -> "+v.Value.Target, v.From)
		}
		for _, v := range r.Users {
			u := v.Value
			line("user", fmt.Sprintf("%s %d:%d %s %s", u.Name, u.UID, u.GID, u.Home, u.Shell), v.From)
		}
		texts("capability", r.Capabilities)
		texts("certificate", r.CACertificates)
		texts("include", r.Include)
	}
	for _, l := range s.Lines {
		text := l.Text
		if len(text) > 60 {
			text = text[:57] + "..."
		}
		fmt.Fprintf(&b, "%4d %-10s %s | %s", l.Line, l.Outcome, text, l.Reason)
		if l.Write != "" {
			fmt.Fprintf(&b, " | %s", l.Write)
		}
		b.WriteString("\n")
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

// TestRead reads the Dockerfile of each repository in testdata. The comment of an archive says
// what the repository shows.
func TestRead(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files, mains := unpack(archive)
			found := Find(files)
			if len(found) == 0 {
				t.Fatal("no Dockerfile is found")
			}
			var got strings.Builder
			for _, f := range found {
				text, err := files.Read(f)
				if err != nil {
					t.Fatal(err)
				}
				s, err := Read(f, text, files, mains, nil)
				if err != nil {
					t.Fatal(err)
				}
				everyLine(t, string(text), s)
				importedIsThere(t, s)
				fmt.Fprintf(&got, "%s\n%s", f, describe(s))
			}
			at := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
			if *update {
				if at < 0 {
					archive.Files = append(archive.Files, txtar.File{Name: "want"})
					at = len(archive.Files) - 1
				}
				archive.Files[at].Data = []byte(got.String())
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := string(archive.Files[at].Data); got.String() != want {
				t.Errorf("it is\n%s\nwant\n%s", got.String(), want)
			}
		})
	}
}

// everyLine wants an outcome, with a reason, for each instruction of a Dockerfile.
func everyLine(t *testing.T, text string, s finding.Source) {
	t.Helper()
	file, err := syntax.Parse(s.File, []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := file.Before
	for _, st := range file.Stages {
		all = append(append(all, st.From), st.Body...)
	}
	for _, i := range all {
		if !slices.ContainsFunc(s.Lines, func(l finding.Line) bool { return l.Line >= i.Line && l.Line <= i.Last }) {
			t.Errorf("%s: %s has no outcome", i.Place, i.Text)
		}
	}
	for _, l := range s.Lines {
		if l.Reason == "" || l.Text == "" || l.Outcome == "" {
			t.Errorf("%s: it has no reason: %+v", l.Place, l)
		}
	}
}

// TestMostIsImported wants at least 80 % of the instructions in testdata to be imported or not
// needed, in each half of the corpus that a reader would choose, too: no file below 60 %.
func TestMostIsImported(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(names) < 12 {
		t.Fatal(names, err)
	}
	all, done := 0, 0
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files, mains := unpack(archive)
		for _, f := range Find(files) {
			text, err := files.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Read(f, text, files, mains, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Programs) == 0 {
				t.Errorf("%s: no program of %s is found", name, f)
			}
			file, err := syntax.Parse(f, text, nil)
			if err != nil {
				t.Fatal(err)
			}
			own := file.Before
			for _, st := range file.Stages {
				own = append(append(own, st.From), st.Body...)
			}
			byHand := 0
			for _, i := range own {
				if slices.ContainsFunc(s.Lines, func(l finding.Line) bool { return l.Line >= i.Line && l.Line <= i.Last && l.Outcome == finding.ByHand }) {
					byHand++
				}
			}
			t.Logf("%s: %d of %d", f, len(own)-byHand, len(own))
			if 10*(len(own)-byHand) < 6*len(own) {
				t.Errorf("%s: %d of %d instructions are to do by hand", name, byHand, len(own))
			}
			all, done = all+len(own), done+len(own)-byHand
		}
	}
	t.Logf("%d of %d instructions are imported or not needed", done, all)
	if 10*done < 8*all {
		t.Errorf("%d of %d instructions are imported or not needed, less than 80 %%", done, all)
	}
}

// importedIsThere wants every imported line to be the place of a value, or to change one: what is
// imported changes the image.
func importedIsThere(t *testing.T, s finding.Source) {
	t.Helper()
	said := map[int]bool{}
	for line := range strings.Lines(describe(finding.Source{Programs: s.Programs})) {
		if at := strings.LastIndex(line, "("); at >= 0 && !strings.HasPrefix(line, "image ") {
			n, err := strconv.Atoi(strings.TrimRight(line[at+1:], ")\n"))
			if err != nil {
				t.Fatal(err)
			}
			said[n] = true
		}
	}
	for _, l := range s.Lines {
		changes := strings.HasSuffix(l.Reason, "of Assets") || strings.HasPrefix(l.Reason, "Before") || strings.HasPrefix(l.Reason, "Capabilities, if")
		if l.Outcome == finding.Imported && !said[l.Line] && !changes && !strings.HasPrefix(l.Text, "RUN go build") && !strings.Contains(l.Text, " go build ") {
			t.Errorf("%s: %q is imported as %s, and no value is from there", l.Place, l.Text, l.Reason)
		}
	}
}
