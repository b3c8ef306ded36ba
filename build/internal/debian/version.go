package debian

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// compareVersions orders versions as deb-version(7) says: the epoch as a number, then the
// upstream version, then the revision.
func compareVersions(a, b string) int {
	ae, au, ar := splitVersion(a)
	be, bu, br := splitVersion(b)
	return cmp.Or(compareNumbers(ae, be), comparePart(au, bu), comparePart(ar, br))
}

func splitVersion(v string) (epoch, upstream, revision string) {
	if e, rest, ok := strings.Cut(v, ":"); ok {
		epoch, v = e, rest
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return epoch, v[:i], v[i+1:]
	}
	return epoch, v, ""
}

// comparePart compares alternating runs of non-digits and of digits.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !digit(a[0]) || b != "" && !digit(b[0]) {
			if c := cmp.Compare(order(a), order(b)); c != 0 {
				return c
			}
			a, b = a[1:], b[1:] // the same byte, so both have it
		}
		i, j := digits(a), digits(b)
		if c := compareNumbers(a[:i], b[:j]); c != 0 {
			return c
		}
		a, b = a[i:], b[j:]
	}
	return 0
}

// order is the rank of the byte that s begins with: a tilde comes before the end,
// letters before all else.
func order(s string) int {
	switch {
	case s == "" || digit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z':
		return int(s[0])
	}
	return int(s[0]) + 256
}

// compareNumbers compares numbers of any length; none is zero.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func digits(s string) int {
	n := 0
	for n < len(s) && digit(s[n]) {
		n++
	}
	return n
}

func digit(b byte) bool { return b >= '0' && b <= '9' }

// checkVersion refuses what is no version, since versions become parts of file names,
// URLs and documents.
func checkVersion(v string) error {
	if v == "" || len(v) > 256 {
		return fmt.Errorf("version %.40q is empty or too long", v)
	}
	for i := range len(v) {
		if !alphanumeric(v[i]) && !strings.ContainsRune(".+-~:", rune(v[i])) {
			return fmt.Errorf("version %q has the byte %q", v, v[i])
		}
	}
	if e, _, ok := strings.Cut(v, ":"); ok && (e == "" || digits(e) != len(e)) {
		return fmt.Errorf("version %q has an epoch that is no number", v)
	}
	if _, upstream, _ := splitVersion(v); upstream == "" {
		return fmt.Errorf("version %q has nothing but epoch and revision", v)
	}
	return nil
}

// checkName refuses what is no name of a package (Debian Policy section 5.6.1).
func checkName(n string) error {
	if len(n) < 2 || len(n) > 128 || !alphanumeric(n[0]) {
		return fmt.Errorf("%q is no name of a package", n)
	}
	for i := range len(n) {
		if c := n[i]; c >= 'A' && c <= 'Z' || !alphanumeric(c) && !strings.ContainsRune("+-.", rune(c)) {
			return fmt.Errorf("%q is no name of a package", n)
		}
	}
	return nil
}

var errPath = errors.New("is not a path below pool/")

// checkPath refuses a file that is not below the archive's pool/.
func checkPath(p string) error {
	rest, ok := strings.CutPrefix(p, "pool/")
	if !ok {
		return fmt.Errorf("%q %w", p, errPath)
	}
	for part := range strings.SplitSeq(rest, "/") {
		if part == "" || part[0] == '.' {
			return fmt.Errorf("%q %w", p, errPath)
		}
		for i := range len(part) {
			if !alphanumeric(part[i]) && !strings.ContainsRune("+-._~:%", rune(part[i])) {
				return fmt.Errorf("%q %w", p, errPath)
			}
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return digit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
