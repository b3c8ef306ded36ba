package finding

import (
	"fmt"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// The first source of each setting decides: goreleaser for the build, the Dockerfile for the
// image, the Makefile for the rest. What disagrees is said with both places.
func TestMerge(t *testing.T) {
	at := func(file string, line int) Place { return Place{file, line} }
	all, disagreements := Merge([]Source{
		{Kind: Makefile, Programs: []Program{{Package: "./cmd/b"}, {
			Package: "./cmd/a",
			Build:   Build{LDFlags: []Value[string]{Found("-X=main.v=make", at("Makefile", 3))}, Tags: []Value[string]{Found("sqlite", at("Makefile", 4))}},
		}}},
		{Kind: Dockerfile, Programs: []Program{{
			Package: "./cmd/a",
			Build:   Build{LDFlags: []Value[string]{Found("-X=main.v=docker", at("Dockerfile", 5))}, Cgo: Found(true, at("Dockerfile", 4))},
			Runtime: Runtime{
				User:   Found("1000", at("Dockerfile", 9)),
				Env:    []Value[string]{Found("A=1", at("Dockerfile", 7))},
				Assets: []Value[plan.Asset]{Found(plan.Asset{Source: "ui", Target: "/ui"}, at("Dockerfile", 8))},
			},
		}}},
		{Kind: GoReleaser, Programs: []Program{{
			Package: "./cmd/a",
			Build:   Build{LDFlags: []Value[string]{Found("-X=main.v={{.Version}}", at(".goreleaser.yaml", 6))}, Cgo: Found(false, at(".goreleaser.yaml", 4))},
			Runtime: Runtime{User: Found("0", at(".goreleaser.yaml", 20)), Env: []Value[string]{Found("A=2", at(".goreleaser.yaml", 21)), Found("B=1", at(".goreleaser.yaml", 22))}},
		}}},
	})
	if len(all) != 2 || all[0].Package != "./cmd/a" || all[1].Package != "./cmd/b" {
		t.Fatalf("the programs are %+v", all)
	}
	a := all[0]
	for _, c := range []struct{ got, want string }{
		{fmt.Sprint(a.Build.LDFlags), "[{-X=main.v={{.Version}} .goreleaser.yaml:6}]"},
		{fmt.Sprint(a.Build.Tags), "[{sqlite Makefile:4}]"},
		{fmt.Sprint(a.Build.Cgo), "{false .goreleaser.yaml:4}"},
		{fmt.Sprint(a.Runtime.User), "{1000 Dockerfile:9}"},
		{fmt.Sprint(a.Runtime.Env), "[{A=1 Dockerfile:7} {B=1 .goreleaser.yaml:22}]"},
		{fmt.Sprint(a.Runtime.Assets), "[{{ui /ui 0 0 0 []} Dockerfile:8}]"},
	} {
		if c.got != c.want {
			t.Errorf("it has %s, want %s", c.got, c.want)
		}
	}
	var said []string
	for _, d := range disagreements {
		said = append(said, fmt.Sprintf("%s %s: %s (%s), not %s (%s)", d.Package, d.Setting, d.Choice, d.ChoiceFrom, d.Loser, d.LoserFrom))
	}
	want := []string{
		"./cmd/a LDFlags: [-X=main.v={{.Version}}] (.goreleaser.yaml:6), not [-X=main.v=docker] (Dockerfile:5)",
		"./cmd/a LDFlags: [-X=main.v={{.Version}}] (.goreleaser.yaml:6), not [-X=main.v=make] (Makefile:3)",
		"./cmd/a Cgo: false (.goreleaser.yaml:4), not true (Dockerfile:4)",
		"./cmd/a Runtime.User: 1000 (Dockerfile:9), not 0 (.goreleaser.yaml:20)",
		"./cmd/a Runtime.Env: A=1 (Dockerfile:7), not A=2 (.goreleaser.yaml:21)",
	}
	if fmt.Sprint(said) != fmt.Sprint(want) {
		t.Errorf("the disagreements are\n%q, want\n%q", said, want)
	}
}
