// Package busybox finds the commands in a busybox executable without running it, because it may
// be for another architecture.
package busybox

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// Package is Debian's package of a busybox that needs no C library.
const Package = "busybox-static"

var name = regexp.MustCompile(`^[a-z0-9][a-z0-9._+-]*$`)

// Applets returns the output of "busybox --list", sorted. It reads the names from a table of
// strings (applet_names of include/applet_tables.h), which is sorted, begins with "[" and "[["
// and ends with an empty name.
func Applets(executable []byte) ([]string, error) {
	fail := func(format string, args ...any) ([]string, error) {
		return nil, fmt.Errorf("read the commands of busybox: %w", fmt.Errorf(format, args...))
	}
	start := []byte("[\x00[[\x00")
	at := bytes.Index(executable, start)
	if at < 0 || bytes.Contains(executable[at+1:], start) {
		return fail("%w", errors.New("it has no table of names, or more than one"))
	}
	names := []string{"[", "[["}
	for rest := executable[at+len(start):]; ; {
		found, after, ok := bytes.Cut(rest, []byte{0})
		if !ok || len(names) > 1000 {
			return fail("the table of names has no end")
		}
		if len(found) == 0 {
			break
		}
		if !name.Match(found) {
			return fail("%q is not a name", found[:min(len(found), 40)])
		}
		names = append(names, string(found))
		rest = after
	}
	if !slices.IsSorted(names) || !slices.Contains(names, "sh") {
		return fail("the table of names is not sorted, or has no sh")
	}
	return names, nil
}
