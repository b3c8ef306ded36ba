package license

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTexts(t *testing.T) {
	mit := fixture(t, "testdata/MIT")
	a := module(t, map[string]string{"LICENSE": mit, "NOTICE": "a is by A.\n"}, ".")
	b := module(t, map[string]string{"LICENSE.txt": "\n" + strings.ReplaceAll(mit, "\n", "\r\n") + "\n\n"}, ".")
	c := module(t, map[string]string{"c.go": "package c"}, ".")
	a.Path, b.Path, c.Path = "example.com/a", "example.com/b", "example.com/c"
	modules := []Module{c, b, a}
	results, err := Scan(context.Background(), modules, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Texts(modules, results)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("-", 79) + "\n\n"
	for _, want := range []string{
		"example.com/a v1.0.0 (LICENSE)\nexample.com/b v1.0.0 (LICENSE.txt)\n" + line + mit,
		"example.com/a v1.0.0 (NOTICE)\n" + line + "a is by A.\n",
		"No licence file was found in:\nexample.com/c v1.0.0\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if n := strings.Count(string(text), "MIT License"); n != 1 {
		t.Errorf("the text is there %d times", n)
	}

	slices.Reverse(results)
	again, err := Texts([]Module{a, c, b}, results)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(text) {
		t.Errorf("another order gives another text:\n%s", again)
	}

	if err := os.WriteFile(filepath.Join(b.Dir, "LICENSE.txt"), []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Texts(modules, results); err == nil || !strings.Contains(err.Error(), "example.com/b v1.0.0: LICENSE.txt has changed") {
		t.Errorf("changed file: %v", err)
	}
	if _, err := Texts([]Module{a}, results); err == nil {
		t.Error("results without their modules are accepted")
	}
}
