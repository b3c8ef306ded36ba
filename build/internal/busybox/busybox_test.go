package busybox

import (
	"slices"
	"strings"
	"testing"
)

func TestApplets(t *testing.T) {
	got, err := Applets([]byte("\x7fELF...[\x00[[\x00ash\x00cat\x00sh\x00\x00[ text"))
	if want := []string{"[", "[[", "ash", "cat", "sh"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("Applets = %q, %v; want %q", got, err, want)
	}
	for content, want := range map[string]string{
		"":                                 "no table of names",
		"[\x00[[\x00sh\x00\x00[\x00[[\x00": "or more than one",
		"[\x00[[\x00sh":                    "no end",
		"[\x00[[\x00sh\x00a b\x00\x00":     `"a b" is not a name`,
		"[\x00[[\x00sh\x00cat\x00\x00":     "not sorted",
		"[\x00[[\x00cat\x00\x00":           "has no sh",
	} {
		if _, err := Applets([]byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}
