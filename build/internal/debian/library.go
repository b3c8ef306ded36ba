package debian

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	digitSoname = regexp.MustCompile(`([0-9])\.so\.`)
	anySoname   = regexp.MustCompile(`\.so(\.|$)`)
)

// ofLibc are the libraries of package libc6, besides the dynamic linker.
var ofLibc = []string{
	"libBrokenLocale", "libanl", "libc", "libdl", "libm", "libmvec", "libnss_compat", "libnss_dns", "libnss_files",
	"libpthread", "libresolv", "librt", "libthread_db", "libutil",
}

// LibraryPackage is what the package of a shared library is called by the rule of Debian
// Policy 8.1: libgomp1 for libgomp.so.1. Of the few packages that never followed it, the C
// library's and zlib's are known. It is empty for what is no library's name. Since trixie, t64 may
// follow the name.
func LibraryPackage(library string) string {
	library = path.Base(library)
	name, _, ok := strings.Cut(library, ".so")
	switch {
	case strings.HasPrefix(library, "ld-linux") || strings.HasPrefix(library, "ld64.so."), slices.Contains(ofLibc, name):
		return "libc6"
	case library == "libz.so.1":
		return "zlib1g"
	case !ok || !strings.HasPrefix(name, "lib"):
		return ""
	}
	name = digitSoname.ReplaceAllString(library, "$1-")
	name = strings.ToLower(strings.ReplaceAll(anySoname.ReplaceAllString(name, ""), "_", "-"))
	if checkName(name) != nil {
		return ""
	}
	return name
}
