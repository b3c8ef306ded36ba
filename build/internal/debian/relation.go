package debian

import (
	"errors"
	"fmt"
	"strings"

	"pault.ag/go/debian/dependency"
)

// relation is one alternative of a dependency: a package, and its allowed versions (Debian Policy
// section 7.1).
type relation struct {
	name    string
	version *dependency.VersionRelation // nil if every version is allowed
}

// maxRelations bounds a field, in bytes: the longest of trixie's has 75,639.
const maxRelations = 1 << 18

// readRelations parses a field such as Depends into groups; one alternative of each group must be
// met. In lists of binary packages they have no restrictions to architectures or build profiles
// and no variables; the qualifier after a colon (:any) concerns only packages of other
// architectures.
func readRelations(field string) ([][]relation, error) {
	if len(field) > maxRelations {
		return nil, fmt.Errorf("it has more than %d bytes", maxRelations)
	}
	field = strings.Join(strings.Fields(field), " ")
	parsed, err := dependency.Parse(field)
	if err != nil {
		return nil, fmt.Errorf("%.80q: %w", field, err)
	}
	if plain(parsed.String()) != plain(field) {
		return nil, fmt.Errorf("%.80q is not a list of relations", field)
	}
	var groups [][]relation
	for _, alternatives := range parsed.Relations {
		var group []relation
		for _, p := range alternatives.Possibilities {
			if err := checkPossibility(p); err != nil {
				return nil, fmt.Errorf("%.80q: %w", p, err)
			}
			group = append(group, relation{p.Name, p.Version})
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// plain returns a field without blanks, so that differences show what the parser dropped.
func plain(field string) string { return strings.ReplaceAll(field, " ", "") }

func checkPossibility(p dependency.Possibility) error {
	if p.Substvar || p.Architectures != nil && len(p.Architectures.Architectures) > 0 ||
		len(p.StageSets) > 0 {
		return errors.New(
			"it has a variable, architectures or build profiles, which only source packages may have")
	}
	if p.Version != nil {
		if err := checkVersion(strings.TrimSpace(p.Version.Number)); err != nil {
			return err
		}
	}
	return checkName(p.Name)
}

// met says whether the relation allows a version.
func (r relation) met(of string) bool {
	if r.version == nil {
		return true
	}
	v, err := parseVersion(of)
	return err == nil && r.version.SatisfiedBy(v)
}

func (r relation) String() string {
	if r.version == nil {
		return r.name
	}
	return r.name + " " + r.version.String()
}

// providedBy says whether a name that a package provides meets the relation: a name without a
// version meets only relations without one (Debian Policy section 7.5).
func (r relation) providedBy(p *record) bool {
	groups, err := readRelations(p.provides)
	if err != nil {
		return false // it was parsed before
	}
	for _, group := range groups {
		for _, provided := range group {
			if provided.name == r.name && (r.version == nil || provided.version != nil &&
				provided.version.Operator == "=" && r.met(strings.TrimSpace(provided.version.Number))) {
				return true
			}
		}
	}
	return false
}

// joined returns the relations of several fields.
func joined(fields ...string) ([][]relation, error) {
	var all [][]relation
	for _, f := range fields {
		groups, err := readRelations(f)
		if err != nil {
			return nil, err
		}
		all = append(all, groups...)
	}
	return all, nil
}
