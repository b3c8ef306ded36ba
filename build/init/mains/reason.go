package mains

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// group are names of folders in which nobody ships a program, and the reason.
type group struct {
	reason string
	names  []string
}

const (
	aGenerator = "it generates files of this repository"
	anExample  = "it is an example"
	forTests   = "it is for tests"
)

var groups = []group{
	{"it is internal", []string{"internal"}},
	{"it is a tool for this repository", []string{
		"tool", "tools", "hack", "script", "scripts", "ci", "dev", "devtools", "maintainer",
	}},
	{aGenerator, []string{"gen", "generate", "generator", "generators", "codegen"}},
	{anExample, []string{
		"example", "examples", "sample", "samples", "demo", "demos", "tutorial", "tutorials", "doc", "docs",
	}},
	{forTests, []string{
		"test", "tests", "testing", "testutil", "testutils", "testkit", "e2e", "integration",
		"integration-tests",
		"mock", "mocks", "fixtures", "fuzz", "bench", "benchmark", "benchmarks",
	}},
	{"it is a contribution beside the product", []string{"contrib"}},
	{"it is the code of others", []string{"third_party", "thirdparty"}},
}

var (
	generatorName = regexp.MustCompile(
		`(^|[-_])(gen|generate|generator|codegen|docgen|gendocs?|mkdocs|docs?|changelog|release|` +
			`releaser|lint|linter|licenses?)($|[-_])|^(code|doc|crd|man|schema)s?gen$|^gen(docs?|code|man|crds?|schema)$`)
	testName = regexp.MustCompile(
		`(^|[-_])(test|tests|testing|e2e|mock|fake|bench|benchmark|benchmarks|loadtest|stress|fuzz)($|[-_])`)
	exampleName = regexp.MustCompile(`(^|[-_])(example|examples|demo|sample)($|[-_])`)
)

// reason returns why nobody ships a program in this folder, "" otherwise.
func reason(rel string) string {
	if rel == "" {
		return ""
	}
	elements := strings.Split(rel, "/")
	for i, element := range elements {
		last := i == len(elements)-1
		if last && i > 0 && elements[i-1] == "cmd" && element != "internal" {
			break // cmd/dev can be a product; its name is checked below
		}
		for _, g := range groups {
			if slices.Contains(g.names, element) {
				return g.reason
			}
		}
	}
	switch name := path.Base(rel); {
	case generatorName.MatchString(name):
		return aGenerator
	case testName.MatchString(name):
		return forTests
	case exampleName.MatchString(name):
		return anExample
	}
	return ""
}
