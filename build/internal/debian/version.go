package debian

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"pault.ag/go/debian/version"
)

// compareVersions orders versions as in deb-version(7). Invalid versions come first.
func compareVersions(a, b string) int {
	x, xErr := parseVersion(a)
	y, yErr := parseVersion(b)
	switch {
	case xErr == nil && yErr == nil:
		return cmp.Compare(version.Compare(x, y), 0)
	case xErr == nil:
		return 1
	case yErr == nil:
		return -1
	}
	return strings.Compare(a, b)
}

// parseVersion parses a version, and refuses an invalid one (deb-version(7)), since versions
// become parts of file names, URLs and documents.
func parseVersion(v string) (version.Version, error) {
	if v == "" || len(v) > 256 {
		return version.Version{}, fmt.Errorf("version %.40q is empty or too long", v)
	}
	if !digit(v[0]) || strings.TrimSpace(v) != v {
		return version.Version{}, fmt.Errorf(
			"version %q does not begin with a digit, or has blanks around it", v)
	}
	parsed, err := version.Parse(v)
	if err != nil {
		return version.Version{}, fmt.Errorf("version %q: %w", v, err)
	}
	if parsed.Version == "" {
		return version.Version{}, fmt.Errorf("version %q has only epoch and revision", v)
	}
	return parsed, nil
}

func checkVersion(v string) error {
	_, err := parseVersion(v)
	return err
}

func digit(b byte) bool { return b >= '0' && b <= '9' }

// checkName refuses an invalid package name (Debian Policy section 5.6.1).
func checkName(n string) error {
	if len(n) < 2 || len(n) > 128 || !alphanumeric(n[0]) {
		return fmt.Errorf("%q is not the name of a package", n)
	}
	for i := range len(n) {
		if c := n[i]; c >= 'A' && c <= 'Z' || !alphanumeric(c) && !strings.ContainsRune("+-.", rune(c)) {
			return fmt.Errorf("%q is not the name of a package", n)
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
