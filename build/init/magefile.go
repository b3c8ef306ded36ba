package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

//go:embed launcher/mage.go
var launcher []byte

//go:embed templates/magefile.go.tmpl
var magefileText string

// keyless are the settings of the public Sigstore, for a CI whose jobs have an
// identity.
const keyless = `Release: build.ReleaseConfig{
	Keyless:     &build.Keyless{Fulcio: "https://fulcio.sigstore.dev"},
	Logs:        []build.TransparencyLog{{URL: "https://rekor.sigstore.dev", Version: 1}},
	TrustedRoot: "magefiles/trusted_root.json",
},`

// renderMagefile writes Config with what could be found out.
func renderMagefile(r *repository, alias string, ci bool) ([]byte, error) {
	t, err := template.New("magefile").Funcs(template.FuncMap{"quoted": quoted}).Parse(magefileText)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	data := map[string]any{
		"Alias": alias, "Module": r.module, "Dir": r.dir, "Mains": r.mains, "Named": r.named, "Ports": r.ports,
		"Repository": registry(r.remote), "Keyless": "",
	}
	if ci {
		data["Keyless"] = keyless
	}
	if err := t.Execute(&out, data); err != nil {
		return nil, err
	}
	return format.Source(out.Bytes())
}

// quoted is the elements of a slice of strings in Go.
func quoted(s []string) string {
	q := make([]string, len(s))
	for i := range s {
		q[i] = fmt.Sprintf("%q", s[i])
	}
	return strings.Join(q, ", ")
}

// registry guesses where a repository's images go, from where its source is.
func registry(remote string) string {
	for _, host := range [][2]string{{"https://github.com/", "ghcr.io/"}, {"https://gitlab.com/", "registry.gitlab.com/"}} {
		if name, ok := strings.CutPrefix(remote, host[0]); ok {
			return host[1] + strings.ToLower(strings.TrimSuffix(name, ".git"))
		}
	}
	return ""
}

// magefiles is what is in a folder of that name already.
type magefiles struct {
	// imports says that a file imports the targets; alias is the name before their
	// own that they have there.
	imports bool
	alias   string
	// text is the file that imports them.
	text []byte
	// targets are the exported functions of the folder's own files, in lower case.
	targets []string
	// taken says that there is a magefile.go.
	taken bool
}

func readMagefiles(dir string) (magefiles, error) {
	var m magefiles
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return m, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return m, err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			return m, fmt.Errorf("read %s: %w", name, err)
		}
		if ignored(f) {
			continue
		}
		m.taken = m.taken || filepath.Base(name) == "magefile.go"
		for _, spec := range f.Imports {
			if spec.Path.Value == `"`+targetsPath+`"` {
				m.imports, m.text = true, text
				if spec.Doc != nil {
					_, m.alias, _ = strings.Cut(strings.TrimSpace(spec.Doc.List[len(spec.Doc.List)-1].Text), "mage:import")
					m.alias = strings.TrimSpace(m.alias)
				}
			}
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.IsExported() && returnsOnlyError(fn.Type) {
				m.targets = append(m.targets, strings.ToLower(fn.Name.Name))
			}
		}
	}
	slices.Sort(m.targets)
	return m, nil
}

// ignored says whether a file is excluded from every build, as the launcher is.
func ignored(f *ast.File) bool {
	for _, group := range f.Comments {
		if group.Pos() > f.Package {
			break
		}
		for _, c := range group.List {
			if expr, err := constraint.Parse(c.Text); err == nil && !expr.Eval(func(tag string) bool { return tag != "ignore" }) {
				return true
			}
		}
	}
	return false
}

// chooseAlias returns the name before the targets' own: the one that they have already, or
// "thimble" if the repository has a target with the name of one of them.
func chooseAlias(there magefiles, targets []target) string {
	if there.imports {
		return there.alias
	}
	for _, t := range targets {
		if slices.Contains(there.targets, t.name) {
			return "thimble" // mage refuses two targets of one name
		}
	}
	return ""
}

// planMagefiles returns what the folder magefiles lacks. ci says that releases are made in CI.
func planMagefiles(ctx context.Context, r *repository, k *kit, there magefiles, alias string, ci bool) (c changes, err error) {
	own := map[string][]byte{}
	name := "magefile.go"
	if there.taken {
		name = "thimble.go"
	}
	if !there.imports {
		if own[name], err = renderMagefile(r, alias, ci); err != nil {
			return c, err
		}
	} else if ci && !bytes.Contains(there.text, []byte("Keyless")) {
		c.notes = append(c.notes, "to sign releases in CI, put this into targets.Config:\n\n"+indent(keyless))
	}
	module, err := planModule(ctx, r, k, own)
	if err != nil {
		return c, err
	}
	c.add(module)
	for name, text := range own {
		f, err := wanted(r.root, "magefiles/"+name, text)
		if err != nil {
			return c, err
		}
		c.files = append(c.files, f)
	}
	for _, name := range []string{"magefile.go", "mage.go"} {
		if text, err := os.ReadFile(filepath.Join(r.root, name)); err == nil && bytes.Contains(text, []byte("//go:build mage")) {
			c.notes = append(c.notes, name+" at the root stays for mage itself; the launcher reads magefiles/ alone, so move its targets there when you can")
		}
	}
	f, err := wanted(r.root, "magefiles/mage.go", launcher)
	c.files = append(c.files, f)
	return c, err
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}
