package license

import (
	"path"
	"slices"
	"strings"
)

// kind is the kind of a file, according to its name.
type kind int

const (
	other kind = iota
	// licenceText is the text of a licence, or says where it is.
	licenceText
	// copyrightText is a licence if it contains a licence's text, otherwise a notice.
	copyrightText
	// notice must accompany the code, but is not its licence.
	notice
)

var (
	licenceName = pattern(
		`^(?:.+[-_.])?(?:UN)?LICEN[SC]ES?(?:[-_.].+)?$|^COPYING(?:[-_.].+)?$|^COPYLEFT(?:[-_.].+)?$`)
	noticeName = pattern(`^(?:.+[-_.])?NOTICES?(?:[-_.].+)?$|^PATENTS(?:[-_.].+)?$`)
	// foreignName matches a list of third-party code: it must accompany the code.
	foreignName = pattern(`THIRD[-_.]?PARTY|3RD[-_.]?PARTY`)
	// apartName matches licences of files that are never linked, or a template for headers.
	apartName = pattern(
		`(?:^|[-_.])(?:DOCS?|DOCUMENTATION|HEADER|TEMPLATE|BOILERPLATE)(?:[-_.]|$)`)
)

// textExtensions are those of texts. Others, such as the .MIT of LICENSE.MIT, name the licence,
// unless they are in codeExtensions.
var textExtensions = []string{".TXT", ".MD", ".MARKDOWN", ".RST", ".ADOC", ".HTML"}

var codeExtensions = []string{
	".GO", ".S", ".C", ".H", ".CC", ".CPP", ".PY", ".RB", ".RS", ".SH", ".BASH", ".PL", ".JS", ".TS", ".JAVA",
	".JSON", ".JSONL", ".YAML", ".YML", ".TOML", ".XML", ".CSV", ".TSV", ".CFG", ".CONF", ".INI",
	".PROTO", ".PROTOTEXT",
	".TMPL", ".TPL", ".GOTMPL", ".MOD", ".SUM", ".BAZEL", ".BZL", ".GZ", ".ZIP", ".PNG", ".SVG",
	".PDF", ".SIG", ".ASC",
}

// IsText says whether a file with this base name is read for licences and notices.
func IsText(name string) bool { return kindOf(name) != other }

// kindOf classifies the base name of a file, ignoring case: the names that the go command copies
// when it vendors, the usual suffixes (LICENSE-MIT, LICENSE.txt) and prefixes (MIT-LICENSE).
func kindOf(name string) kind {
	name = strings.ToUpper(name)
	ext := path.Ext(name)
	if slices.Contains(codeExtensions, ext) || strings.HasPrefix(name, ".") {
		return other
	}
	if slices.Contains(textExtensions, ext) {
		name = strings.TrimSuffix(name, ext)
	}
	switch {
	case apartName().MatchString(name):
		return other
	case noticeName().MatchString(name), licenceName().MatchString(name) && foreignName().MatchString(name):
		return notice
	case licenceName().MatchString(name):
		return licenceText
	case strings.HasPrefix(name, "COPYRIGHT"):
		return copyrightText
	}
	return other
}
