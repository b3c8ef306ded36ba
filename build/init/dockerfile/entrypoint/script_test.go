package entrypoint

import (
	"fmt"
	"testing"
)

func TestSimpleScript(t *testing.T) {
	env := map[string]string{"PORT": "8080"}
	for _, c := range []struct{ text, words, why string }{
		{"#!/bin/sh\nset -e\nexec /api \"$@\"\n", `["/api" "\x00@"]`, ""},
		{"export A=b\nexec /api -p $PORT --mode=${MODE:-fast}", `["/api" "-p" "8080" "--mode=fast"]`, ""},
		{"/api || exit 1", `["/api"]`, ""},
		{"exec /api $UNKNOWN", "[]", "it needs the variable $UNKNOWN when the container starts"},
		{"/api &\nwait", "[]", "it runs a program in the background"},
		{"mkdir -p /data\nexec /api", "[]", "it runs mkdir before the program"},
		{"if [ -n \"$A\" ]; then /api; fi", "[]", "it decides what to do when the container starts"},
		{"/a\n/b", `["/a"]`, "it goes on after it has started the program"},
		{"exec /api $(hostname)", "[]", "it runs a command to get an argument"},
		{"set -e", "[]", "it starts no program"},
		{"if then", "[]", "it is no shell script"},
	} {
		s, why := simpleScript(c.text, env)
		if why != c.why || why == "" && fmt.Sprintf("%q", s.words) != c.words {
			t.Errorf("%q starts %q, %q; want %s, %q", c.text, s.words, why, c.words, c.why)
		}
	}
	if s, _ := simpleScript("export A=b\nexec /api -p $PORT", env); fmt.Sprint(s.vars, s.fixed) != "[{A b}] [PORT]" {
		t.Errorf("the variables are %v, those with a fixed value %v", s.vars, s.fixed)
	}
}
