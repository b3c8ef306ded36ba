package license

import (
	"slices"
	"strings"
)

// unlisted are identifiers of licensecheck that the SPDX licence list does not have, or has
// withdrawn without a successor: expressions cannot contain them.
var unlisted = map[string]bool{
	"Aladdin-9":                true,
	"Anti996":                  true,
	"BSD-1-Clause-Clear":       true,
	"BSD-3-Clause-NoTrademark": true,
	"CC-BY-NC-SA-3.0-US":       true,
	"CommonsClause":            true,
	"GPL-2.0-or-3.0":           true,
	"MIT-NoAd":                 true,
	"Net-SNMP":                 true,
	"Prosperity-3.0.0":         true,
}

// further are additional grants that do not restrict the licence.
var further = map[string]bool{"GooglePatentClause": true, "GooglePatentsFile": true}

// renamed are identifiers that SPDX has replaced.
var renamed = map[string]string{"bzip2-1.0.5": "bzip2-1.0.6"}

// bare are texts of the Free Software Foundation without the sentence about later versions. Only
// that version is certain, so the identifier becomes "-only", unless the same file says more.
var bare = []string{
	"AGPL-1.0", "AGPL-3.0", "GFDL-1.1", "GFDL-1.2", "GFDL-1.3",
	"GPL-1.0", "GPL-2.0", "GPL-3.0", "LGPL-2.0", "LGPL-2.1", "LGPL-3.0",
}

// spdxIDs converts the identifiers of one file to SPDX's, sorted; rest is the file's text outside
// of licences, in lower case. It is false if SPDX lacks one, or if its version is uncertain.
func spdxIDs(found []string, rest string) ([]string, bool) {
	var ids []string
	for _, id := range found {
		if further[id] {
			continue
		}
		if unlisted[id] {
			return nil, false
		}
		if to, ok := renamed[id]; ok {
			id = to
		}
		if slices.Contains(bare, id) {
			name := strings.ToLower(id)
			switch {
			case slices.ContainsFunc(found, func(s string) bool {
				return s == id+"-only" ||
					s == id+"-or-later"
			}):
				continue
			case strings.Contains(rest, name+"-or-later"):
				id += "-or-later"
			case strings.Contains(rest, "or later"), strings.Contains(rest, "later version"),
				strings.Contains(rest, name+"+"):
				return nil, false
			default:
				id += "-only"
			}
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids), true
}
