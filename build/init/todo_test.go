package main

import (
	"testing"

	"github.com/thimble-build/thimble/build/init/evidence"
	"github.com/thimble-build/thimble/build/init/finding"
)

// TestComments wants one comment for lines with the same reason, at the setting that they are
// about.
func TestComments(t *testing.T) {
	line := func(number int, text, reason, setting, write string) finding.Line {
		return finding.Line{Place: finding.Place{File: "a.yml", Line: number}, Text: text,
			Outcome: finding.ByHand, Reason: reason, Setting: setting, Write: write}
	}
	for _, test := range []struct {
		name  string
		lines []finding.Line
		want  string
	}{
		{"one line", []finding.Line{line(3, "hook make", "if needed", "", "Before: x")},
			"// TODO a.yml:3: hook make: if needed. To do: Before: x\n"},
		{"several lines", []finding.Line{line(3, "hook a", "if needed", "", "x"),
			line(9, "other", "unknown", "", ""), line(5, "hook b", "if needed", "", "y")},
			"// TODO a.yml:3, 5: hook a; hook b: if needed. To do, for the first: x\n" +
				"// TODO a.yml:9: other: unknown\n"},
		{"one text at several lines", []finding.Line{line(3, "label x", "fixed", "", ""),
			line(5, "label x", "fixed", "", "")},
			"// TODO a.yml:3, 5: label x: fixed\n"},
		{"several on one line", []finding.Line{line(3, "a", "fixed", "", "x"), line(3, "b", "fixed", "", "x")},
			"// TODO a.yml:3: a; b: fixed. To do: x\n"},
	} {
		s := &source{}
		s.comment(test.lines)
		if got := s.b.String(); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}

	f := &evidence.Found{Images: []finding.Program{{Package: "."}}, Lines: []finding.Line{
		line(1, "acme/shop", "you decide", "Repository", `Repository: "acme",`),
		line(2, "latest", "tags can move", "Release", ""),
		line(3, "x", "no such setting", "", ""),
		line(4, "copy", "a URL", "Assets", ""),
	}}
	f.Images[0].Runtime.User = finding.Found("1", finding.Place{File: "Dockerfile", Line: 2})
	if got, want := releaseComments(f, "Repository"),
		`// TODO a.yml:1: acme/shop: you decide. To do: Repository: "acme",`; got != want {
		t.Errorf("Repository: %s", got)
	}
	if got, want := releaseComments(f, "Release"), "// TODO a.yml:2: latest: tags can move"; got != want {
		t.Errorf("Release: %s", got)
	}
	want := `Images: []build.ImageConfig{
{
Package: ".",
// TODO a.yml:4: copy: a URL
Runtime: build.Runtime{
User: "1", // Dockerfile:2
},
},
},
// TODO a.yml:3: x: no such setting
`
	if got := images(f); got != want {
		t.Errorf("images:\n%s\nwant\n%s", got, want)
	}
}

// TestPlatforms wants images only where the base exists, and archives for the other platforms.
func TestPlatforms(t *testing.T) {
	var p finding.Program
	for _, v := range []string{"linux/amd64", "linux/386", "linux/arm/v6", "linux/arm/v7", "linux/mips", "windows/amd64"} {
		p.Build.Platforms = append(p.Build.Platforms, finding.Found(v, finding.Place{File: ".goreleaser.yml", Line: 9}))
	}
	for _, test := range []struct {
		base             string
		images, archives int
	}{{"", 5, 1}, {"debian", 2, 4}, {"distroless/base", 2, 4}, {"registry.example.com/base:1", 5, 1}} {
		p.Runtime.Base.Value = test.base
		images, archives := platforms(p)
		if len(images) != test.images || len(archives) != test.archives {
			t.Errorf("base %q: images for %v, archives for %v", test.base, images, archives)
		}
	}
}
