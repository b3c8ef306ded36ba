package license

import (
	"slices"
	"strings"
)

// unlisted are identifiers of licensecheck that the SPDX licence list does not
// have, or has withdrawn without naming a successor: no expression can hold them.
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

// further are grants that come on top of a licence and take nothing from it.
var further = map[string]bool{"GooglePatentClause": true, "GooglePatentsFile": true}

// renamed are identifiers that SPDX has replaced by another.
var renamed = map[string]string{"bzip2-1.0.5": "bzip2-1.0.6"}

// bare are texts of the Free Software Foundation without the sentence that says
// whether later versions are allowed. Only that very version is certain, so it
// becomes "-only", unless the same file says more.
var bare = []string{
	"AGPL-1.0", "AGPL-3.0", "GFDL-1.1", "GFDL-1.2", "GFDL-1.3",
	"GPL-1.0", "GPL-2.0", "GPL-3.0", "LGPL-2.0", "LGPL-2.1", "LGPL-3.0",
}

// spdxIDs turns the identifiers of one file into SPDX's, sorted; rest is, in
// lower case, what the file says besides the licences' texts. It is false if there
// is one that SPDX lacks, or of which the version is uncertain.
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
			case slices.ContainsFunc(found, func(s string) bool { return s == id+"-only" || s == id+"-or-later" }):
				continue
			case strings.Contains(rest, name+"-or-later"):
				id += "-or-later"
			case strings.Contains(rest, "or later"), strings.Contains(rest, "later version"), strings.Contains(rest, name+"+"):
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
