package debian

import (
	"fmt"
	"strings"
)

// relation is one alternative of a dependency: a package, and which versions of it
// (Debian Policy section 7.1).
type relation struct {
	name, operator, version string
}

// readRelations reads a field such as Depends: groups, of each of which one alternative
// has to be met. In lists of binary packages they have no restrictions to architectures,
// and what follows a colon (:any) says something about others' packages.
func readRelations(field string) ([][]relation, error) {
	var groups [][]relation
	for part := range strings.SplitSeq(field, ",") {
		part = strings.Trim(part, " \t\n")
		if part == "" {
			continue
		}
		var group []relation
		for alternative := range strings.SplitSeq(part, "|") {
			r, err := readRelation(alternative)
			if err != nil {
				return nil, fmt.Errorf("%.80q: %w", part, err)
			}
			group = append(group, r)
		}
		groups = append(groups, group)
	}
	return groups, nil
}

func readRelation(s string) (relation, error) {
	name, rest, versioned := strings.Cut(s, "(")
	name, _, _ = strings.Cut(strings.Trim(name, " \t\n"), ":")
	if err := checkName(name); err != nil {
		return relation{}, err
	}
	if !versioned {
		return relation{name: name}, nil
	}
	rest, end, ok := strings.Cut(rest, ")")
	if !ok || strings.Trim(end, " \t\n") != "" {
		return relation{}, fmt.Errorf("its version has no end, or something follows")
	}
	rest = strings.Trim(rest, " \t\n")
	n := len(rest) - len(strings.TrimLeft(rest, "<=>"))
	r := relation{name, rest[:n], strings.Trim(rest[n:], " \t\n")}
	switch r.operator {
	case "<<", "<=", "=", ">=", ">>":
	default:
		return relation{}, fmt.Errorf("%q is no comparison", r.operator)
	}
	return r, checkVersion(r.version)
}

// met says whether a version is one of those that the relation allows.
func (r relation) met(version string) bool {
	if r.operator == "" {
		return true
	}
	c := compareVersions(version, r.version)
	switch r.operator {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case "=":
		return c == 0
	case ">=":
		return c >= 0
	}
	return c > 0
}

func (r relation) String() string {
	if r.operator == "" {
		return r.name
	}
	return fmt.Sprintf("%s (%s %s)", r.name, r.operator, r.version)
}

// providedBy says whether what a package provides meets the relation: a name without a
// version meets only relations without one (Debian Policy section 7.5).
func (r relation) providedBy(p *record) bool {
	groups, err := readRelations(p.provides)
	if err != nil {
		return false // it was read before
	}
	for _, group := range groups {
		for _, provided := range group {
			if provided.name == r.name && (r.operator == "" || provided.operator == "=" && r.met(provided.version)) {
				return true
			}
		}
	}
	return false
}
