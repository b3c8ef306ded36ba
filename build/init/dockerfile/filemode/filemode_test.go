package filemode

import "testing"

func TestSymbolic(t *testing.T) {
	for _, c := range []struct {
		spec       string
		mode, want uint32
		ok         bool
	}{
		{"+x", 0o644, 0o755, true},
		{"u+x,go-r", 0o644, 0o700, true},
		{"a=r", 0o755, 0o444, true},
		{"g=u", 0o644, 0, false},
		{"go+X", 0o644, 0o644, true},
		{"go+X", 0o744, 0o755, true},
		{"z+x", 0o644, 0, false},
		{"0755", 0o644, 0, false},
	} {
		if got, ok := Symbolic(c.spec, c.mode); got != c.want || ok != c.ok {
			t.Errorf("Symbolic(%q, %#o) is %#o, %t; want %#o, %t", c.spec, c.mode, got, ok, c.want, c.ok)
		}
	}
}
