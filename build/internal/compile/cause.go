package compile

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/golist"
)

var (
	// excluded matches the go command's message about a package of which no file is left.
	excluded = regexp.MustCompile(`build constraints exclude all Go files in (.+)`)
	// undefined matches the compiler's message about a missing name, with its package.
	undefined = regexp.MustCompile(
		`: undefined: (?:(\w+)\.)?\w+|\(missing function body\)|missing function body`)
)

// cgoCauses returns the packages that an error of the go command is due to, because their files that
// use cgo were left out: nothing of a package is left, or a name of it is missing in the package or
// in one that imports it.
func cgoCauses(output string, packages []golist.CgoPackage) (paths []string) {
	var compiled string // the package that the messages are about
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if header, ok := strings.CutPrefix(line, "# "); ok {
			compiled, _, _ = strings.Cut(header, " ")
			continue
		}
		for _, p := range packages {
			if causes(line, compiled, p) && !slices.Contains(paths, p.Path) {
				paths = append(paths, p.Path)
			}
		}
	}
	slices.Sort(paths)
	return paths
}

func causes(line, compiled string, p golist.CgoPackage) bool {
	if m := excluded.FindStringSubmatch(line); m != nil {
		return filepath.Clean(m[1]) == p.Dir || strings.Contains(line, p.Path+":")
	}
	m := undefined.FindStringSubmatch(line)
	switch {
	case m == nil:
		return false
	case compiled == p.Path:
		return true
	}
	return m[1] == p.Name && slices.Contains(p.Importers, compiled)
}
