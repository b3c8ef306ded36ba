package container

import (
	"fmt"
	"strings"

	"github.com/thimble-build/thimble/build/internal/secret"
)

// Variables reads what a user has given: NAME=value, or NAME for the value that lookup returns. It
// returns Env and Secrets of a [Spec].
func Variables(given []string, lookup func(name string) (string, bool)) (env, secrets []string, err error) {
	for _, v := range given {
		name, value, set := strings.Cut(v, "=")
		if !set {
			value, set = lookup(name)
		}
		switch {
		case name == "":
			return nil, nil, fmt.Errorf("%q is not NAME=value or NAME", v)
		case !set:
			return nil, nil, fmt.Errorf("the variable %s is not set here; set it, or write %s=VALUE", name,
				name)
		case secret.Is(name, value):
			secrets = append(secrets, name+"="+value)
		default:
			env = append(env, name+"="+value)
		}
	}
	return env, secrets, nil
}

// ParsePorts is ParsePort for each of these.
func ParsePorts(given []string) ([]Port, error) {
	var ports []Port
	for _, text := range given {
		p, err := ParsePort(text)
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	return ports, nil
}
