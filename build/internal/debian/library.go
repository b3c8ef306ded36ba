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
	"libBrokenLocale", "libanl", "libc", "libdl", "libm", "libmvec", "libnss_compat",
	"libnss_dns", "libnss_files",
	"libpthread", "libresolv", "librt", "libthread_db", "libutil",
}

// unruly are the packages of common libraries that do not follow the naming rule.
var unruly = map[string]string{
	"libz.so.1": "zlib1g", "libcrypto.so.3": "libssl3", "libxml2.so.2": "libxml2",
	"libjpeg.so.62":    "libjpeg62-turbo",
	"libglib-2.0.so.0": "libglib2.0-0", "libgio-2.0.so.0": "libglib2.0-0",
	"libgmodule-2.0.so.0": "libglib2.0-0",
	"libgobject-2.0.so.0": "libglib2.0-0", "libgthread-2.0.so.0": "libglib2.0-0",
}

// LibraryPackage returns the package of a shared library by the rule of Debian Policy 8.1:
// libgomp1 for libgomp.so.1. It also knows some packages that do not follow it: the C library's
// and those of unruly. It is empty if the argument is not a library's name. Since trixie, t64 may
// follow the name.
func LibraryPackage(library string) string {
	library = path.Base(library)
	name, _, ok := strings.Cut(library, ".so")
	switch {
	case strings.HasPrefix(library, "ld-linux") || strings.HasPrefix(library, "ld64.so."),
		slices.Contains(ofLibc, name):
		return "libc6"
	case unruly[library] != "":
		return unruly[library]
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
