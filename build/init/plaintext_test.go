package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/init/kitmodule"
)

// Names and files of a stranger's repository are shown as text that nobody obeys.
func TestShown(t *testing.T) {
	const bad = "a\x1b[2J\u202e\u2028\n::error::b ##[group]c\xff"
	p := &planned{
		repo: &repository{root: "/src/" + bad, module: "example.com/" + bad}, kit: &kitmodule.Kit{Version: "v1.2.3"},
		changes: changes{
			files: []file{{path: "magefiles/" + bad, text: []byte("ours\n"), was: []byte("\ttheirs " + strings.ReplaceAll(bad, "\n", "\r") + "\n::warning::x\n")}},
			notes: []string{"see " + (&repository{root: "/src/" + bad}).here("magefiles")},
		},
	}
	var b bytes.Buffer
	if err := errors.Join(p.show(&b, true), p.end(&b, true)); err != nil {
		t.Fatal(err)
	}
	said := b.String() + shown(fmt.Errorf("read %s", bad)).Error() + "\n" + shown(advice("type this")).Error()
	for _, line := range strings.Split(said, "\n") {
		if strings.ContainsAny(line, "\x1b\u202e\u2028\r") || strings.HasPrefix(strings.TrimLeft(line, " -+\t"), "::") || strings.Contains(line, "##[") || strings.Contains(line, "\xff") {
			t.Errorf("it says %q", line)
		}
	}
	for _, want := range []string{"thimble v1.2.3 for example.com/a", "\n-\ttheirs a", "\n+ours\n", "/src/a\\x1b[2J", "read a", "\ntype this"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}
