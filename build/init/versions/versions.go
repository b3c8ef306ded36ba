// Package versions finds the variables of a program that say its version, and returns the linker
// flags that set them.
package versions

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/mains"
	"github.com/thimble-build/thimble/build/init/stamp"
)

// kinds are the names of variables, and what they are set to. Only a version replaces a value
// that somebody has written by hand; the others replace "", "unknown" and the like.
var kinds = []struct {
	name     *regexp.Regexp
	template string
	any      bool
}{
	{regexp.MustCompile(
		`(?i)^(app|build|git|release|program|service|server|cli|binary|sem|main)?_?version(string|str)?$`),
		"{{.Version}}", true},
	{regexp.MustCompile(
		`(?i)^(build|git|app|release|version)?_?(short_?(commit|sha|hash)|(commit|sha|hash)_?short)$`),
		"{{.ShortCommit}}", false},
	{regexp.MustCompile(
		`(?i)^(build|git|app|release|version)?_?(commit|commit_?(hash|sha|id)|sha|sha1|revision|githash|gitsha|hash)$`), "{{.Commit}}", false},
	{regexp.MustCompile(`(?i)^(git_?)?commit_?(date|time)$`), "{{.CommitDate}}", false},
	{regexp.MustCompile(
		`(?i)^((build|git|app|release|compile|version)_?)?(date|time|timestamp)$|^built_?(at|on)?$`),
		"{{.Date}}", false},
}

// Flags returns flags for the version variables of a program that its LDFlags do not set: in its
// main packages, and in each package of the repository in which they set one.
func Flags(t *mains.Tree, p finding.Program) []finding.Value[string] {
	type folder struct{ dir, importPath string }
	folders := []folder{{path.Join(".", p.Module, p.Package), "main"}}
	for _, further := range p.Programs { // the flags are those of all programs of the image
		folders = append(folders, folder{path.Join(".", p.Module, further.Value), "main"})
	}
	set := map[string]bool{}
	for _, f := range p.Build.LDFlags {
		definition, ok := strings.CutPrefix(f.Value, "-X=")
		name, _, _ := strings.Cut(definition, "=")
		dot := strings.LastIndex(name, ".")
		if !ok || dot < 0 {
			continue
		}
		set[name] = true
		if dir, ok := t.Folder(name[:dot]); ok && name[:dot] != "main" &&
			!slices.Contains(folders, folder{dir, name[:dot]}) {
			folders = append(folders, folder{dir, name[:dot]})
		}
	}
	var all []finding.Value[string]
	for _, f := range folders {
		for _, v := range variables(t.Root, f.dir) {
			name := f.importPath + "." + v.name
			if set[name] || v.byHand &&
				f.importPath != "main" { // the package's files stamp what they want to
				continue
			}
			set[name] = true
			all = append(all, finding.Found("-X="+name+"="+v.template, v.at))
		}
	}
	return all
}

type variable struct {
	name, template string
	// byHand says that somebody has written a version there.
	byHand bool
	at     finding.Place
}

// variables returns the version variables of the package in a folder, in the order of its files.
func variables(root, dir string) []variable {
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.go"))
	if err != nil {
		return nil
	}
	var all []variable
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
		if err != nil {
			continue // the compiler says it better
		}
		for _, d := range f.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.VAR {
				continue
			}
			for _, spec := range decl.Specs {
				for _, v := range ofSpec(spec.(*ast.ValueSpec)) {
					v.at = finding.Place{File: path.Join(dir, filepath.Base(name)),
						Line: set.Position(spec.Pos()).Line}
					all = append(all, v)
				}
			}
		}
	}
	return all
}

// ofSpec returns the version variables in a declaration: strings that are not set, or set to a
// literal. The linker cannot set others.
func ofSpec(spec *ast.ValueSpec) []variable {
	if spec.Type != nil {
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != "string" {
			return nil
		}
	}
	var all []variable
	for i, id := range spec.Names {
		value := ""
		switch {
		case i < len(spec.Values):
			literal, ok := spec.Values[i].(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				continue
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				continue
			}
			value = text
		case spec.Type == nil:
			continue
		}
		for _, k := range kinds {
			if !k.name.MatchString(id.Name) || !k.any && !stamp.Placeholder(value) {
				continue
			}
			template := k.template
			if template == "{{.Version}}" && strings.HasPrefix(value, "v") && len(value) > 1 &&
				value[1] >= '0' && value[1] <= '9' {
				template = "{{.Tag}}"
			}
			all = append(all, variable{name: id.Name, template: template, byHand: !stamp.Placeholder(value)})
			break
		}
	}
	return all
}
