package getopt

import (
	"fmt"
	"testing"
)

func TestParse(t *testing.T) {
	long := map[string]byte{"mode": 'm', "parents": 'p'}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-p", "a", "b"}, "map[p:] [a b]"},
		{[]string{"-pm", "0700", "a"}, "map[m:0700 p:] [a]"},
		{[]string{"-m0700", "a"}, "map[m:0700] [a]"},
		{[]string{"--mode=0700", "--parents", "a"}, "map[m:0700 p:] [a]"},
		{[]string{"--mode", "0700", "a"}, "map[m:0700] [a]"},
		{[]string{"a", "--", "-p", "--mode"}, "map[] [a -p --mode]"},
		{[]string{"--unknown", "a", "-"}, "map[\x00:] [a -]"},
		{[]string{"-m"}, "map[m:] []"},
	} {
		options, rest := Parse(c.args, "m", long)
		named := map[string]string{}
		for letter, value := range options {
			named[string(rune(letter))] = value
		}
		if got := fmt.Sprint(named, rest); got != c.want {
			t.Errorf("Parse(%q) is %q, want %q", c.args, got, c.want)
		}
	}
}
