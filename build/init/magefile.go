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
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/thimble-build/thimble/build/init/kitmodule"
)

//go:embed launcher/mage.go
var launcher []byte

// kms is the file for what only signing needs. It has a build tag, like that code of the kit.
//
//go:embed templates/kms.go.tmpl
var kms []byte

//go:embed templates/magefile.go.tmpl
var magefileText string

// keyless are the settings of the public Sigstore, for a CI system whose jobs have an identity.
const (
	keyless       = "Release: build.ReleaseConfig{\n" + keylessFields + "\n},"
	keylessFields = `	Keyless:     &build.Keyless{Fulcio: "https://fulcio.sigstore.dev"},
	Logs:        []build.TransparencyLog{{URL: "https://rekor.sigstore.dev", Version: 1}},
	TrustedRoot: "magefiles/trusted_root.json",`
)

// durations are values that need the package time; Runtime.Args in a comment does not.
var durations = regexp.MustCompile(`\btime\.[A-Z]`)

// renderMagefile writes Config with the values that init found.
func renderMagefile(r *repository, alias string, ci bool) ([]byte, error) {
	t, err := template.New("magefile").Parse(magefileText)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	var names []string
	for _, p := range r.found.Images {
		names = append(names, p.Package)
	}
	settings := images(r.found)
	data := map[string]any{
		"Alias": alias, "Module": r.module, "Dir": r.dir, "Mains": names, "Repository": registry(r.remote),
		"Keyless":        "",
		"RepositoryToDo": releaseComments(r.found, "Repository"),
		"ReleaseToDo":    releaseComments(r.found, "Release"),
		"Archives":       archivePlatforms(r.found), "Settings": settings,
		"Listed": strings.Contains(settings, "Images: []build"), "Time": durations.MatchString(settings),
	}
	if ci {
		data["Keyless"] = keylessFields
	}
	if err := t.Execute(&out, data); err != nil {
		return nil, err
	}
	return format.Source(out.Bytes())
}

// quoted returns the elements of a slice of strings as Go source.
func quoted(s []string) string {
	q := make([]string, len(s))
	for i := range s {
		q[i] = fmt.Sprintf("%q", s[i])
	}
	return strings.Join(q, ", ")
}

// registry guesses the registry of a repository's images from the host of its source.
func registry(remote string) string {
	for _, host := range [][2]string{{"https://github.com/", "ghcr.io/"},
		{"https://gitlab.com/", "registry.gitlab.com/"}} {
		if name, ok := strings.CutPrefix(remote, host[0]); ok {
			return host[1] + strings.ToLower(strings.TrimSuffix(name, ".git"))
		}
	}
	return ""
}

// magefiles describes an existing folder magefiles.
type magefiles struct {
	// imports says that a file imports the targets; alias is the prefix of their names in that
	// import.
	imports bool
	alias   string
	// text is the file that imports them, name its name.
	text []byte
	name string
	// targets are the exported functions of the repository's files in the folder, in lower
	// case.
	targets []string
	// taken says that magefile.go exists.
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
			if spec.Path.Value == `"`+kitmodule.TargetsPath+`"` {
				m.imports, m.text, m.name = true, text, filepath.Base(name)
				if spec.Doc != nil {
					_, m.alias, _ = strings.Cut(strings.TrimSpace(spec.Doc.List[len(spec.Doc.List)-1].Text),
						"mage:import")
					m.alias = strings.TrimSpace(m.alias)
				}
			}
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.IsExported() &&
				kitmodule.ReturnsOnlyError(fn.Type) {
				m.targets = append(m.targets, strings.ToLower(fn.Name.Name))
			}
		}
	}
	slices.Sort(m.targets)
	return m, nil
}

// ignored reports whether a file is excluded from every build, as the launcher is.
func ignored(f *ast.File) bool {
	for _, group := range f.Comments {
		if group.Pos() > f.Package {
			break
		}
		for _, c := range group.List {
			if expr, err := constraint.Parse(c.Text); err == nil &&
				!expr.Eval(func(tag string) bool { return tag != "ignore" }) {
				return true
			}
		}
	}
	return false
}

// chooseAlias returns the prefix of the targets' names: the existing one, or "thimble" if the
// repository already has a target of the same name.
func chooseAlias(there magefiles, targets []kitmodule.Target) string {
	if there.imports {
		return there.alias
	}
	for _, t := range targets {
		if slices.Contains(there.targets, t.Name) {
			return "thimble" // mage refuses two targets with the same name
		}
	}
	return ""
}

// planMagefiles returns the files that the folder magefiles lacks. ci says that releases are
// made in CI.
func planMagefiles(ctx context.Context, r *repository, k *kitmodule.Kit, there magefiles, alias string,
	ci bool) (c changes, err error) {
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
	if there.imports { // shown as a difference
		if own[there.name], err = renderMagefile(r, alias, ci ||
			bytes.Contains(there.text, []byte("Keyless:"))); err != nil {
			return c, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		text := own[name]
		f, err := wanted(r.root, "magefiles/"+name, text)
		if err != nil {
			return c, err
		}
		c.files = append(c.files, f)
	}
	for _, name := range []string{"magefile.go", "mage.go"} {
		if text, err := os.ReadFile(filepath.Join(r.root, name)); err == nil &&
			bytes.Contains(text, []byte("//go:build mage")) {
			c.notes = append(c.notes,
				name+" at the root is kept for mage; the launcher reads only magefiles/, so move its "+
					"targets there when you can")
		}
	}
	f, err := wanted(r.root, "magefiles/mage.go", launcher)
	if err != nil {
		return c, err
	}
	c.files = append(c.files, f)
	if f, err = wanted(r.root, "magefiles/kms.go", kms); f.create() { // else it is the repository's
		c.files = append(c.files, f)
	}
	return c, err
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}
