package golist

import (
	"encoding/json"
	"slices"
	"testing"
)

// The folders of a module are those that the compiler reads: of packages, and of files that these embed.
func TestFolders(t *testing.T) {
	list := packages{}
	for _, text := range []string{
		`{"ImportPath": "a", "Dir": "/a", "Module": {"Path": "a", "Dir": "/a"}, "Imports": ["go/one", "go/two/sub", "asm", "c", "fmt"]}`,
		`{"ImportPath": "go/one", "Dir": "/go/one", "Module": {"Path": "go", "Version": "v1.0.0", "Dir": "/go"}, "EmbedFiles": ["x.txt", "testdata/deep/y.txt"], "Imports": ["go"]}`,
		`{"ImportPath": "go/two/sub", "Dir": "/go/two/sub", "Module": {"Path": "go", "Version": "v1.0.0", "Dir": "/go"}}`,
		`{"ImportPath": "go", "Dir": "/go", "Module": {"Path": "go", "Version": "v1.0.0", "Dir": "/go"}}`,
		`{"ImportPath": "asm", "Dir": "/asm", "Module": {"Path": "asm", "Version": "v1.0.0", "Dir": "/asm"}, "SFiles": ["x.s"], "Imports": ["asm/go"]}`,
		`{"ImportPath": "asm/go", "Dir": "/asm/go", "Module": {"Path": "asm", "Version": "v1.0.0", "Dir": "/asm"}}`,
		`{"ImportPath": "c", "Dir": "/c", "Module": {"Path": "c", "Version": "v1.0.0", "Dir": "/c"}, "CgoFiles": ["x.go"]}`,
		`{"ImportPath": "fmt", "Standard": true}`,
	} {
		p := &listed{}
		if err := json.Unmarshal([]byte(text), p); err != nil {
			t.Fatal(err)
		}
		list[p.ImportPath] = p
	}
	want := map[string][]string{
		"a": {"."}, "go": {".", "one", "one/testdata/deep", "two/sub"}, "asm": nil, "c": nil,
	}
	modules := list.modules("a")
	if len(modules) != len(want) {
		t.Errorf("there are %d modules", len(modules))
	}
	for _, m := range modules {
		if !slices.Equal(m.Folders, want[m.Path]) {
			t.Errorf("module %s has the folders %q, want %q", m.Path, m.Folders, want[m.Path])
		}
	}
	for _, test := range []struct{ a, b, want []string }{
		{[]string{"."}, []string{"a", "."}, []string{".", "a"}}, {nil, []string{"a"}, nil}, {[]string{"a"}, nil, nil},
	} {
		if got := UnionFolders(test.a, test.b); !slices.Equal(got, test.want) || (got == nil) != (test.want == nil) {
			t.Errorf("%q and %q are %q together", test.a, test.b, got)
		}
	}
}
