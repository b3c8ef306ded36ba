// Package debiantest has helpers for tests of Debian's archive: the mirror that this machine
// uses, and an archive made by the test.
package debiantest

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// Mirror is Find for a test that requires one.
func Mirror(t testing.TB) string {
	t.Helper()
	m, ok := Find()
	testtool.Require(t, ok, "apt to be set up to read Debian's archive from a mirror")
	return m
}

// Find returns the URL with debian/ and debian-security/ below it, from apt's configuration.
// THIMBLE_TEST_DEBIAN_MIRROR overrides it.
func Find() (string, bool) {
	if m := os.Getenv("THIMBLE_TEST_DEBIAN_MIRROR"); m != "" {
		return strings.TrimRight(m, "/"), true
	}
	return mirrorOf("/etc/apt")
}

// mirrorOf reads apt's configuration: sources.list(5), in both of its formats.
func mirrorOf(etc string) (string, bool) {
	var uris []string
	lists, _ := filepath.Glob(filepath.Join(etc, "sources.list.d", "*"))
	for _, name := range append(lists, filepath.Join(etc, "sources.list")) {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			words := strings.Fields(line)
			switch {
			case len(words) > 1 && filepath.Ext(name) == ".sources" && strings.EqualFold(words[0], "URIs:"):
				uris = append(uris, words[1:]...)
			case len(words) > 2 && filepath.Ext(name) == ".list" && words[0] == "deb":
				uris = append(uris, words[1:]...)
			}
		}
	}
	// Both archives have to be below one URL.
	var parents [2][]string
	for _, uri := range uris {
		u, err := url.Parse(strings.TrimRight(uri, "/"))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			continue
		}
		for i, archive := range []string{"/debian", "/debian-security"} {
			if parent, ok := strings.CutSuffix(u.String(), archive); ok {
				parents[i] = append(parents[i], parent)
			}
		}
	}
	for _, p := range parents[0] {
		if slices.Contains(parents[1], p) {
			return p, true
		}
	}
	return "", false
}
