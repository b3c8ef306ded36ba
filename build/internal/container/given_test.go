package container

import (
	"fmt"
	"testing"
)

func TestVariables(t *testing.T) {
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"LEVEL": "debug", "TOKEN": "hidden", "EMPTY": ""}[name]
		return value, ok
	}
	env, secrets, err := Variables([]string{"LEVEL", "A=b=c", "EMPTY", "NONE=", "TOKEN", "API_KEY=mine"}, lookup)
	got := fmt.Sprint(env, secrets, err)
	if want := "[LEVEL=debug A=b=c EMPTY= NONE=] [TOKEN=hidden API_KEY=mine] <nil>"; got != want {
		t.Errorf("the variables are %s, want %s", got, want)
	}
	for given, want := range map[string]string{
		"=x":      `"=x" is not NAME=value or NAME`,
		"MISSING": "the variable MISSING is not set here; set it, or write MISSING=VALUE",
	} {
		if _, _, err := Variables([]string{"A=b", given}, lookup); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", given, err, want)
		}
	}
}

func TestParsePorts(t *testing.T) {
	ports, err := ParsePorts([]string{"80", "10053:53/udp"})
	if want := "[http://127.0.0.1:80 127.0.0.1:10053/udp]"; err != nil || fmt.Sprint(ports) != want {
		t.Errorf("the ports are %v, %v, want %s", ports, err, want)
	}
	if _, err := ParsePorts([]string{"80", "none"}); err == nil {
		t.Error("none is a port")
	}
}
