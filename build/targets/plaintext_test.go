package targets

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// What targets print goes through plaintext, which cleans every value: fmt's functions
// that print are for files in Markdown, whose values are cleaned one by one.
func TestEverythingPrintedIsCleaned(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			of, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := of.X.(*ast.Ident)
			switch {
			case !ok:
			case pkg.Name == "plaintext" && of.Sel.Name == "Fprintf":
				seen++
			case pkg.Name == "fmt" && (of.Sel.Name == "Printf" || of.Sel.Name == "Println" || of.Sel.Name == "Print"),
				pkg.Name == "fmt" && of.Sel.Name == "Fprintf" && f.Name() != "jobsummary.go",
				pkg.Name == "fmt" && (of.Sel.Name == "Fprintln" || of.Sel.Name == "Fprint") && len(call.Args) > 1 && slices.ContainsFunc(call.Args[1:], dirty):
				t.Errorf("%s prints with fmt.%s", f.Name(), of.Sel.Name)
			}
			return true
		})
	}
	if seen < 20 {
		t.Errorf("only %d calls of plaintext.Fprintf were found", seen)
	}
}

// dirty says whether what is printed may be somebody else's text: not a literal of ours, what
// plaintext has cleaned, or our prompt.
func dirty(arg ast.Expr) bool {
	switch a := arg.(type) {
	case *ast.BasicLit:
		return false
	case *ast.Ident:
		return a.Name != "prompt"
	case *ast.CallExpr:
		of, ok := a.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := of.X.(*ast.Ident)
		return !ok || pkg.Name != "plaintext"
	}
	return true
}
