package debian

import (
	"slices"
	"strings"
)

// spdx maps the short names of licences in the machine-readable format (copyright-format 1.0,
// "Short name") to the SPDX identifiers with exactly the same meaning. Ambiguous names (MIT, BSD,
// public-domain, and names that authors invent) are left out.
var spdx = map[string]string{
	"apache-1.0":   "Apache-1.0",
	"apache-1.1":   "Apache-1.1",
	"apache-2.0":   "Apache-2.0",
	"artistic-2.0": "Artistic-2.0",
	"bsd-2-clause": "BSD-2-Clause",
	"bsd-3-clause": "BSD-3-Clause",
	"bsd-4-clause": "BSD-4-Clause",
	"cc-by-3.0":    "CC-BY-3.0",
	"cc-by-4.0":    "CC-BY-4.0",
	"cc-by-sa-3.0": "CC-BY-SA-3.0",
	"cc-by-sa-4.0": "CC-BY-SA-4.0",
	"cc0-1.0":      "CC0-1.0",
	"cddl-1.0":     "CDDL-1.0",
	"cpl-1.0":      "CPL-1.0",
	"expat":        "MIT",
	"isc":          "ISC",
	"mpl-1.1":      "MPL-1.1",
	"mpl-2.0":      "MPL-2.0",
	"zlib":         "Zlib",
}

// gnu are the licences of the Free Software Foundation: "GPL-2" is only that version, "GPL-2+"
// that or a later one. A zero at the end may be left out.
var gnu = map[string]string{
	"agpl-3":       "AGPL-3.0",
	"gfdl-1.1":     "GFDL-1.1",
	"gfdl-1.2":     "GFDL-1.2",
	"gfdl-1.3":     "GFDL-1.3",
	"gfdl-niv-1.1": "GFDL-1.1-no-invariants",
	"gfdl-niv-1.2": "GFDL-1.2-no-invariants",
	"gfdl-niv-1.3": "GFDL-1.3-no-invariants",
	"gpl-1":        "GPL-1.0",
	"gpl-2":        "GPL-2.0",
	"gpl-3":        "GPL-3.0",
	"lgpl-2":       "LGPL-2.0",
	"lgpl-2.1":     "LGPL-2.1",
	"lgpl-3":       "LGPL-3.0",
}

// licenseOf returns the SPDX expression for a copyright file: the licences of all paragraphs
// about files, joined by AND. It is empty if the file is not in the machine-readable format, or
// if one of the licences has no exact SPDX identifier.
func licenseOf(text string) string {
	var terms []string
	exact, n := true, 0
	err := paragraphs(text, nil, func(p paragraph) error {
		n++
		if n == 1 {
			f := p["format"]
			f = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(f, "https://"), "http://"), "/")
			if f != "www.debian.org/doc/packaging-manuals/copyright-format/1.0" {
				exact = false
			}
			return nil
		}
		if _, ok := p["files"]; !ok {
			return nil // the text of a licence that others refer to
		}
		name, _, _ := strings.Cut(p["license"], "\n")
		expression, ok := expressionOf(name)
		if !ok {
			exact = false
		}
		terms = append(terms, expression)
		return nil
	})
	if err != nil || !exact || len(terms) == 0 {
		return ""
	}
	slices.Sort(terms)
	terms = slices.Compact(terms)
	if len(terms) == 1 {
		return strings.Trim(terms[0], "()")
	}
	return strings.Join(terms, " AND ")
}

// expressionOf converts the first line of a License field to an SPDX expression, in brackets if
// it offers a choice. Exceptions ("with ...") and commas cannot be converted exactly: exceptions
// have no common names, and commas change the precedence.
func expressionOf(line string) (string, bool) {
	words := strings.Fields(line)
	if len(words)%2 == 0 {
		return "", false
	}
	var any, all []string
	for i, w := range words {
		if i%2 == 1 {
			switch strings.ToLower(w) {
			case "and":
			case "or":
				any, all = append(any, strings.Join(all, " AND ")), nil
			default:
				return "", false
			}
			continue
		}
		id, ok := identifierOf(w)
		if !ok {
			return "", false
		}
		all = append(all, id)
	}
	any = append(any, strings.Join(all, " AND "))
	if len(any) == 1 {
		return any[0], true
	}
	return "(" + strings.Join(any, " OR ") + ")", true
}

func identifierOf(name string) (string, bool) {
	name = strings.ToLower(name)
	if id, ok := spdx[name]; ok {
		return id, true
	}
	stem, later := strings.CutSuffix(name, "+")
	stem = strings.TrimSuffix(stem, ".0")
	id, ok := gnu[stem]
	if !ok {
		return "", false
	}
	if later {
		return id + "-or-later", true
	}
	return id + "-only", true
}
