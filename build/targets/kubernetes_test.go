package targets

import (
	"slices"
	"strings"
	"testing"
)

// The flag -f of resolve has its value in the next argument, or after "=", and no other target's.
func TestJoinFile(t *testing.T) {
	for typed, want := range map[string]string{
		"mage resolve -f k8s -names":            "mage resolve -f=k8s -names",
		"mage Resolve -names -f - -from=v1":     "mage Resolve -names -f=- -from=v1",
		"mage kit:resolve -f k8s resolve -f -":  "mage kit:resolve -f=k8s resolve -f=-",
		"mage resolve -f=k8s":                   "mage resolve -f=k8s",
		"mage resolve -f":                       "mage resolve -f",
		"mage sbom -f x":                        "mage sbom -f x",
		"mage resolve -f a sbom -f x":           "mage resolve -f=a sbom -f x",
		"resolve -f x":                          "resolve -f x",
		"mage -f resolve":                       "mage -f resolve",
		"mage verify ref -key=k resolve -f a,b": "mage verify ref -key=k resolve -f=a,b",
	} {
		if got := joinFile(strings.Fields(typed)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
}
