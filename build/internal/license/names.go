package license

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// kind is what a file is, going by its name.
type kind int

const (
	other kind = iota
	// licenceText is the text of a licence, or says where it is.
	licenceText
	// copyrightText is a licence if it holds a licence's text, else a notice.
	copyrightText
	// notice has to accompany the code, but is no licence of it.
	notice
)

var (
	licenceName = regexp.MustCompile(`^(?:.+[-_.])?(?:UN)?LICEN[SC]ES?(?:[-_.].+)?$|^COPYING(?:[-_.].+)?$|^COPYLEFT(?:[-_.].+)?$`)
	noticeName  = regexp.MustCompile(`^(?:.+[-_.])?NOTICES?(?:[-_.].+)?$|^PATENTS(?:[-_.].+)?$`)
	// foreignName is a list of what others have written: it accompanies the code.
	foreignName = regexp.MustCompile(`THIRD[-_.]?PARTY|3RD[-_.]?PARTY`)
	// apartName is about files that are never linked, or a template for headers.
	apartName = regexp.MustCompile(`(?:^|[-_.])(?:DOCS?|DOCUMENTATION|HEADER|TEMPLATE|BOILERPLATE)(?:[-_.]|$)`)
)

// textExtensions are those of texts. Others, such as the .MIT of LICENSE.MIT, say
// which licence it is, unless they are in codeExtensions.
var textExtensions = []string{".TXT", ".MD", ".MARKDOWN", ".RST", ".ADOC", ".HTML"}

var codeExtensions = []string{
	".GO", ".S", ".C", ".H", ".CC", ".CPP", ".PY", ".RB", ".RS", ".SH", ".BASH", ".PL", ".JS", ".TS", ".JAVA",
	".JSON", ".JSONL", ".YAML", ".YML", ".TOML", ".XML", ".CSV", ".TSV", ".CFG", ".CONF", ".INI", ".PROTO", ".PROTOTEXT",
	".TMPL", ".TPL", ".GOTMPL", ".MOD", ".SUM", ".BAZEL", ".BZL", ".GZ", ".ZIP", ".PNG", ".SVG", ".PDF", ".SIG", ".ASC",
}

// IsText says whether a file, going by its base name, is read for licences and notices.
func IsText(name string) bool { return kindOf(name) != other }

// kindOf judges the base name of a file, in any case: the names that the go
// command copies when it vendors, the usual suffixes (LICENSE-MIT, LICENSE.txt)
// and prefixes (MIT-LICENSE).
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
	case apartName.MatchString(name):
		return other
	case noticeName.MatchString(name), licenceName.MatchString(name) && foreignName.MatchString(name):
		return notice
	case licenceName.MatchString(name):
		return licenceText
	case strings.HasPrefix(name, "COPYRIGHT"):
		return copyrightText
	}
	return other
}
