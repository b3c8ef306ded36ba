package versions

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/mains"
)

// TestFlags finds variables by name, type and value, in main packages and in those that are stamped.
func TestFlags(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/app\n",
		"main.go": "package main\n\nvar version = \"1.2.3\"\n\nvar (\n\tcommit, other string\n\tBuildDate = `unknown`\n\tcount int\n" +
			"\tgitSHA = sum()\n\trevision = \"a real one\"\n)\n\nconst Version = \"x\"\n\nfunc f() { var date string; _ = date }\n",
		"main_test.go":     "package main\n\nvar buildTime string\n",
		"ctl/main.go":      "package main\n\nvar version, shortCommit string\n",
		"info/info.go":     "package info\n\nvar Version = \"v3.7.0\"\nvar Commit = \"\"\nvar Set = \"\"\n",
		"broken/broken.go": "package broken\n\nvar version =\n",
	} {
		at := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree := &mains.Tree{Root: root, Modules: []mains.Module{{Path: "example.com/app"}}}
	at := finding.Place{File: "Makefile", Line: 1}
	p := finding.Program{Package: ".", Programs: []finding.Value[string]{finding.Found("./ctl", at)}}
	for _, flag := range []string{"-X=example.com/app/info.Set=1", "-X=example.com/other.Set=1", "-X=example.com/app/broken.Set=1", "-X=main.commit=mine", "-s"} {
		p.Build.LDFlags = append(p.Build.LDFlags, finding.Found(flag, at))
	}
	var got []string
	for _, f := range Flags(tree, p) {
		got = append(got, f.Value+" "+f.From.String())
	}
	want := []string{
		"-X=main.version={{.Version}} main.go:3",
		"-X=main.BuildDate={{.Date}} main.go:7",
		"-X=main.shortCommit={{.ShortCommit}} ctl/main.go:3",
		"-X=example.com/app/info.Commit={{.Commit}} info/info.go:4",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
