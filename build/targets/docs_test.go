package targets_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/plan"
)

// pages are the documents that a user reads.
func pages(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no docs: %v", err)
	}
	all := map[string]string{}
	for _, name := range append(names, filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md")) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(b)
	}
	return all
}

// flags are the targets in their own spelling, and what each takes.
func flags(t *testing.T) map[string][]string {
	t.Helper()
	var decls []ast.Decl
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		decls = append(decls, file.Decls...)
	}
	all := map[string][]string{}
	for _, d := range decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !f.Name.IsExported() {
			continue
		}
		if f.Type.Results.NumFields() > 0 { // Mage takes what returns an error, or nothing
			if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); !ok || result.Name != "error" {
				continue
			}
		}
		name := strings.ToLower(f.Name.Name)
		all[name] = nil
		for _, p := range f.Type.Params.List {
			if _, pointer := p.Type.(*ast.StarExpr); pointer {
				all[name] = append(all[name], p.Names[0].Name)
			}
		}
	}
	if len(all) == 0 {
		t.Fatal("no targets")
	}
	return all
}

// TestOffline wants -offline on every target, and that a script calls it so in a network
// namespace of its own.
func TestOffline(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "script", "offline.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	alone, err := os.ReadFile(filepath.Join("testdata", "script", "offline-alone.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	_, inside, _ := strings.Cut(string(alone), "-- alone.sh --")
	for target, takes := range flags(t) {
		if !slices.Contains(takes, "offline") {
			t.Errorf("%s has no flag -offline", target)
		}
		call := `mage ` + target + ` (.* )?-offline`
		if !regexp.MustCompile(`(?m)^exec unshare -n `+call).Match(b) && !regexp.MustCompile(`(?m)\b`+call).MatchString(inside) {
			t.Errorf("%s is not called with -offline in unshare -n", target)
		}
	}
}

var (
	link     = regexp.MustCompile(`\]\(([^)#:]+)(?:#([^)]+))?\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	call     = regexp.MustCompile(`(?m)(?:^(?: {4})?(?:\$ )?|` + "`" + `)(?:go tool |go -C magefiles tool )?mage (?:-d \.\. -w \.\. )?([a-z]+)([^` + "`" + `\n|#]*)`)
	flag     = regexp.MustCompile(`(?:^| )-([a-zA-Z]+)`)
	variable = regexp.MustCompile(`THIMBLE_[A-Z]+(?:_[A-Z]+)*`)
	field    = regexp.MustCompile("`([A-Z][a-z]+[A-Za-z]*)`")
)

// TestLinks follows every link between the pages.
func TestLinks(t *testing.T) {
	all := pages(t)
	for name, page := range all {
		for _, l := range link.FindAllStringSubmatch(page, -1) {
			target := filepath.Join(filepath.Dir(name), filepath.FromSlash(l[1]))
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if l[2] == "" {
				continue
			}
			var anchors []string
			for _, h := range heading.FindAllStringSubmatch(all[target], -1) {
				anchors = append(anchors, strings.ReplaceAll(strings.ToLower(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(h[1], "")), " ", "-"))
			}
			if !slices.Contains(anchors, l[2]) {
				t.Errorf("%s: %s has no heading for #%s", name, l[1], l[2])
			}
		}
	}
}

// TestCalls looks for the target and the flags of every call of mage.
func TestCalls(t *testing.T) {
	known, seen := flags(t), 0
	for name, page := range pages(t) {
		for _, c := range call.FindAllStringSubmatch(page, -1) {
			if c[1] == "bench" { // this repository's own
				continue
			}
			seen++
			takes, ok := known[c[1]]
			if !ok {
				t.Errorf("%s: there is no target %q", name, c[1])
				continue
			}
			before, _, _ := strings.Cut(c[2], "|") // what follows is another command's
			for _, f := range flag.FindAllStringSubmatch(before, -1) {
				if !slices.Contains(takes, f[1]) {
					t.Errorf("%s: %s has no flag -%s", name, c[1], f[1])
				}
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d calls were found", seen)
	}
}

// TestTargets holds the table of targets in docs/commands.md against what each takes. "The same" are
// the flags of the row above.
func TestTargets(t *testing.T) {
	_, section, _ := strings.Cut(pages(t)[filepath.Join("..", "..", "docs", "commands.md")], "\n## The targets\n")
	section, _, _ = strings.Cut(section, "\n## ")
	known, rows, above := flags(t), map[string][]string{}, []string(nil)
	for _, row := range regexp.MustCompile("(?m)^\\| (`[a-z].*?) \\| (.*) \\|$").FindAllStringSubmatch(section, -1) {
		named := []string{"offline"} // which the text below has
		for _, f := range regexp.MustCompile("[` ]-([a-zA-Z]+)").FindAllStringSubmatch(row[2], -1) {
			named = append(named, f[1])
		}
		if strings.Contains(row[2], "the same") {
			named = append(named, above...)
		}
		if m := regexp.MustCompile("all flags of `([a-z]+)`").FindStringSubmatch(row[2]); m != nil {
			named = append(named, known[m[1]]...)
		}
		slices.Sort(named)
		above = slices.Compact(named)
		for _, target := range regexp.MustCompile("`([a-z]+)").FindAllStringSubmatch(row[1], -1) {
			rows[target[1]] = above
		}
	}
	for target, takes := range known {
		if takes := slices.Sorted(slices.Values(takes)); !slices.Equal(takes, rows[target]) {
			t.Errorf("%s takes %q, commands.md has %q", target, takes, rows[target])
		}
	}
	for target := range rows {
		if _, ok := known[target]; !ok {
			t.Errorf("commands.md has %s, which is no target", target)
		}
	}
}

// TestSettings looks for every variable and every field of Config that is named.
func TestSettings(t *testing.T) {
	options, err := os.ReadFile(filepath.Join("..", "internal", "session", "environment.go"))
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, of := range []any{build.Config{}, build.ImageConfig{}, build.Asset{}, build.User{}, build.Runtime{}, build.Healthcheck{}, build.TestConfig{}, build.ReleaseConfig{}, build.Keyless{}, build.TransparencyLog{}} {
		for f := range reflect.TypeOf(of).Fields() {
			fields = append(fields, f.Name)
		}
	}
	for name, page := range pages(t) {
		for _, v := range variable.FindAllString(page, -1) {
			if v != "THIMBLE_FAULTS" && !strings.Contains(string(options), `"`+v+`"`) { // which is for the tests
				t.Errorf("%s: %s is not a setting", name, v)
			}
		}
		for _, f := range field.FindAllStringSubmatch(page, -1) {
			if !slices.Contains(append(fields, "ImageConfig"), f[1]) {
				t.Errorf("%s: Config has no %s", name, f[1])
			}
		}
	}
}

// TestNeeds wants every need in the table of docs/images.md, and no other.
func TestNeeds(t *testing.T) {
	page := pages(t)[filepath.Join("..", "..", "docs", "images.md")]
	_, section, _ := strings.Cut(page, "\n## Needs\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var named []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` *\\|").FindAllStringSubmatch(section, -1) {
		named = append(named, row[1])
	}
	want := slices.Sorted(slices.Values(plan.Needs))
	slices.Sort(named)
	if !slices.Equal(named, want) {
		t.Errorf("the page has %q, the code %q", named, want)
	}
	if !strings.Contains(section, "`"+plan.NeedExec+"`") {
		t.Errorf("the page does not speak of %s", plan.NeedExec)
	}
}
