package license

import (
	"path"
	"slices"
	"strings"
)

// folder is the result of the licence files of one folder.
type folder struct {
	files   []File // without notices
	unknown bool   // one of the licences was not recognised
}

// expression returns the SPDX expression of the folder's files together; empty if there are none
// or if one is not recognised.
func (f folder) expression() string {
	if f.unknown {
		return ""
	}
	var ids []string
	statement := ""
	for _, file := range f.files {
		if len(file.IDs) == 0 && file.Choice == "" {
			return ""
		}
		ids = append(ids, file.IDs...)
		if file.Choice != "" {
			statement = file.Choice
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if statement == "" {
		return strings.Join(ids, " AND ")
	}
	// A choice is certain only if it is between exactly the two licences found, and names both.
	if len(ids) == 2 && mentions(statement, ids[0]) && mentions(statement, ids[1]) {
		return ids[0] + " OR " + ids[1]
	}
	return ""
}

// combine returns the expression for the packages: all licences in the folders above them apply.
// It is empty if a licence is not recognised, or if a package has no licence file in its folder
// or above.
func combine(folders map[string]folder, packages []string) string {
	var terms []string
	for _, dir := range ancestry(packages) {
		f, ok := folders[dir]
		if !ok || len(f.files) == 0 && !f.unknown {
			continue
		}
		e := f.expression()
		switch {
		case e == "":
			return ""
		case strings.Contains(e, " OR "):
			terms = append(terms, "("+e+")")
		default:
			terms = append(terms, strings.Split(e, " AND ")...)
		}
	}
	for _, p := range packages {
		if !covered(folders, path.Clean(p)) {
			return ""
		}
	}
	slices.Sort(terms)
	terms = slices.Compact(terms)
	if len(terms) == 1 {
		return strings.Trim(terms[0], "()")
	}
	return strings.Join(terms, " AND ")
}

func covered(folders map[string]folder, dir string) bool {
	for ; ; dir = path.Dir(dir) {
		if len(folders[dir].files) > 0 {
			return true
		}
		if dir == "." || dir == "/" {
			return false
		}
	}
}

// reuseNames says whether the name of a text in LICENSES matches its content. The names of the
// GNU licences are more precise than their texts: GPL-3.0-or-later has the text of GPL-3.0.
func reuseNames(file File, stem string) bool {
	if len(file.IDs) != 1 {
		return false
	}
	id := file.IDs[0]
	return id == stem || strings.TrimSuffix(id, "-only")+"-or-later" == stem
}
