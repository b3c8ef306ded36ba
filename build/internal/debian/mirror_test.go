package debian

import "testing"

// A mirror is given by its own URL, or by that of the archive debian, as in apt's sources.
func TestMirrorURL(t *testing.T) {
	for url, want := range map[string]string{
		"":                                     Snapshot,
		"https://deb.example.com":              "https://deb.example.com",
		"https://deb.example.com/":             "https://deb.example.com",
		"https://deb.example.com/debian":       "https://deb.example.com",
		"https://deb.example.com/debian/":      "https://deb.example.com",
		"https://deb.example.com/a/debian//":   "https://deb.example.com/a",
		"https://deb.example.com/mydebian":     "https://deb.example.com/mydebian",
		"https://deb.example.com/debian-ports": "https://deb.example.com/debian-ports",
	} {
		if got, err := (Mirror{URL: url}).base(); got != want || err != nil {
			t.Errorf("%q is %q, %v; want %q", url, got, err, want)
		}
	}
	for _, url := range []string{"deb.example.com/debian", "file:///debian", "https://deb.example.com/debian?x=y"} {
		if got, err := (Mirror{URL: url}).base(); err == nil {
			t.Errorf("%q is %q", url, got)
		}
	}
}
