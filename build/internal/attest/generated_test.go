package attest

import "testing"

func TestGeneratedFiles(t *testing.T) {
	for predicate, want := range map[string]string{
		`{"buildDefinition":{"internalParameters":{"plan":{"generated":[{"name":"a.go","sha256":"x"}]}}}}`:                        "contains generated files: a.go",
		`{"buildDefinition":{"internalParameters":{"plan":{"generated":[{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"}]}}}}`: "contains generated files: a, b, c and 1 more",
		`{"buildDefinition":{"internalParameters":{"plan":{}}}}`:                                                                  "",
		`{"buildDefinition":{"internalParameters":[]}}`:                                                                           "",
	} {
		if got := generatedFiles([]byte(predicate)); got != want {
			t.Errorf("%s: %q, want %q", predicate, got, want)
		}
	}
}
